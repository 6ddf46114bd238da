# How the programs of this project (tests, benchmarks, examples) are compiled for each platform.

option(ROCMFORGE_NATIVE "Compile for this machine's processor (-march=native)" OFF)
set(ROCMFORGE_AMD_TARGETS gfx1030 gfx1100 gfx1151 gfx1201 gfx90a gfx942
  CACHE STRING "GPU architectures of the amd platform")
set(ROCMFORGE_NVIDIA_TARGETS 90 CACHE STRING "Compute capabilities of the nvidia platform, without the dot")
option(ROCMFORGE_COMPILE_ONLY "Programs for a GPU will not run: compile them with little optimization" OFF)
set(ROCMFORGE_SANITIZE "" CACHE STRING "Sanitizers of the host platform: address,undefined or thread")

find_program(CCACHE ccache)
mark_as_advanced(CCACHE)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # What ccache has to be told to store anything that was compiled with a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()

# Flags of our own programs, never of those who use the headers.
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(host_warnings -Wall -Wextra -Wshadow -Werror)
add_library(rocmforge_program_flags INTERFACE)
target_compile_options(rocmforge_program_flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${host_warnings}>")
if(ROCMFORGE_SANITIZE)
  set(sanitize -fsanitize=${ROCMFORGE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(rocmforge_program_flags INTERFACE ${sanitize})
  target_link_options(rocmforge_program_flags INTERFACE ${sanitize})
endif()

# Sources that are compiled for this machine's processor, on every platform.
add_library(rocmforge_host_flags INTERFACE)
target_link_libraries(rocmforge_host_flags INTERFACE rocmforge_program_flags rocmforge)
if(ROCMFORGE_NATIVE)
  target_compile_options(rocmforge_host_flags INTERFACE -march=native)
endif()
if(NOT TARGET OpenMP::OpenMP_CXX)
  find_package(OpenMP COMPONENTS CXX)
endif()
target_link_libraries(rocmforge_host_flags INTERFACE $<TARGET_NAME_IF_EXISTS:OpenMP::OpenMP_CXX>)

# The flags that make a source with kernels one for the platform, and those for all GPUs that are asked for.
add_library(rocmforge_kernels INTERFACE)
add_library(rocmforge_all_targets INTERFACE)
target_link_libraries(rocmforge_kernels INTERFACE rocmforge_program_flags rocmforge)
if(ROCMFORGE_PLATFORM STREQUAL host)
  target_link_libraries(rocmforge_kernels INTERFACE rocmforge_host_flags)
elseif(ROCMFORGE_PLATFORM STREQUAL amd)
  include(amd)
elseif(ROCMFORGE_PLATFORM STREQUAL nvidia)
  include(nvidia)
endif()

# rocmforge_program(NAME SOURCES... [HOST_ONLY]): a program from sources that launch kernels on the chosen platform;
# with HOST_ONLY the sources are plain C++ on every platform.
function(rocmforge_program NAME)
  cmake_parse_arguments(ARG "HOST_ONLY" "" "" ${ARGN})
  add_executable(${NAME} ${ARG_UNPARSED_ARGUMENTS})
  if(ARG_HOST_ONLY)
    target_link_libraries(${NAME} PRIVATE rocmforge_host_flags)
    return()
  endif()
  target_link_libraries(${NAME} PRIVATE rocmforge_kernels rocmforge_all_targets)
  if(ROCMFORGE_PLATFORM STREQUAL nvidia)
    set_source_files_properties(${ARG_UNPARSED_ARGUMENTS} PROPERTIES LANGUAGE CUDA)
    set_target_properties(${NAME} PROPERTIES CUDA_ARCHITECTURES "${ROCMFORGE_NVIDIA_TARGETS}")
  endif()
endfunction()

# rocmforge_precompile(TARGET FLAGS HEADERS...): precompiles the headers on the host, once for all targets that name the
# same FLAGS, which must be compiled with the same flags and definitions.
function(rocmforge_precompile TARGET FLAGS)
  if(NOT ROCMFORGE_PLATFORM STREQUAL host)
    return()
  endif()
  get_property(owner GLOBAL PROPERTY rocmforge_precompiled_${FLAGS})
  if(owner)
    target_precompile_headers(${TARGET} REUSE_FROM ${owner})
  else()
    target_precompile_headers(${TARGET} PRIVATE ${ARGN})
    set_property(GLOBAL PROPERTY rocmforge_precompiled_${FLAGS} ${TARGET})
  endif()
endfunction()
