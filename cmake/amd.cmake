# The amd platform: clang compiles every kernel source as HIP, for all GPUs of ROCMFORGE_AMD_TARGETS in one fat binary.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  message(FATAL_ERROR "the amd platform needs clang, not ${CMAKE_CXX_COMPILER}; use the preset 'amd'")
endif()
list(TRANSFORM ROCMFORGE_AMD_TARGETS PREPEND --offload-arch= OUTPUT_VARIABLE offload_archs)
target_compile_options(rocmforge_all_targets INTERFACE ${offload_archs})
if(ROCMFORGE_COMPILE_ONLY)
  # Half of a test program's time is that of its code for the processor.
  target_compile_options(rocmforge_all_targets INTERFACE -O1 "SHELL:-Xarch_host -O0")
endif()
target_compile_options(rocmforge_kernels INTERFACE "SHELL:-x hip")
# rocmforge_only_check(TARGET): the compiler checks the target's sources and instantiates all of them, but makes no code.
function(rocmforge_only_check TARGET)
  target_compile_options(${TARGET} PRIVATE -fsyntax-only)
endfunction()

if(CMAKE_CXX_COMPILER MATCHES "^(.*)/(lib/)?llvm/bin/")
  # A ROCm of AMD's own, which has everything in one folder.
  set(rocm_flags --rocm-path=${CMAKE_MATCH_1})
  target_link_directories(rocmforge_kernels INTERFACE ${CMAKE_MATCH_1}/lib)
else()
  # Debian's packages: HIP lies under /usr, and the packaged device bitcode does not know the newer GPUs.
  set(bitcode ${PROJECT_BINARY_DIR}/amd_bitcode)
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/amd_bitcode ${bitcode} COMMAND_ERROR_IS_FATAL ANY)
  set(rocm_flags --rocm-path=/usr --rocm-device-lib-path=${bitcode})
endif()
target_compile_options(rocmforge_kernels INTERFACE ${rocm_flags})
target_link_libraries(rocmforge_kernels INTERFACE amdhip64)
