# rocmforge_test(NAME [HOST_ONLY [SOURCES ...] | NOT_EMULATED] [LABELS ...]): the test program NAME_test from NAME_test.cpp,
# registered with ctest. With SOURCES A B it is made of A_test.cpp and B_test.cpp, compiled as one: what they use of the library,
# inline functions all of it, is compiled once and not once in each.
#
# A kernel test (no HOST_ONLY) is compiled for the platform of the build; on the host it sees the emulated devices too, but
# with NOT_EMULATED. A HOST_ONLY test exists in host builds alone. Cases whose names end in `_large`, which take minutes where an
# emulator runs each instruction, are a test of their own with the label `large`: NAME_test.large. Each test writes its results to
# results/NAME_test.xml, and a kernel test what it launched to results/NAME_test.launches.
#
# With ROCMFORGE_COMPILE_ONLY a kernel test is no program but in `compiled_tests`: the compiler checks it and instantiates all of
# it. Clang stops there, and the code of every kernel that a launcher can start is that of tests/ledger; nvcc goes as far as PTX.

find_package(GTest REQUIRED)
# Under the sanitizers kernels run on the serial device alone, which has the tails and edges of every op at a third of the
# code; the emulated devices have but one thread, and their own test is the one that sees them with addresses checked.
if(ROCMFORGE_PLATFORM STREQUAL host AND NOT ROCMFORGE_SANITIZE)
  set(emulation ON)
endif()
if(ROCMFORGE_PLATFORM STREQUAL host AND NOT ROCMFORGE_SANITIZE MATCHES thread)
  find_package(Boost REQUIRED COMPONENTS context)
  # What makes a program see the emulated devices.
  add_library(rocmforge_emulation INTERFACE)
  target_compile_definitions(rocmforge_emulation INTERFACE ROCMFORGE_EMULATION=1 ROCMFORGE_OBSERVE_LAUNCHES=1)
  target_link_libraries(rocmforge_emulation INTERFACE Boost::context)
  add_library(weight_kernels_emulated STATIC EXCLUDE_FROM_ALL ${weight_kernels_sources})
  target_compile_options(weight_kernels_emulated PRIVATE $<$<CONFIG:Release>:-O1>)
  target_link_libraries(weight_kernels_emulated PRIVATE rocmforge_kernels rocmforge_emulation)
endif()

# Records launches. All that a program has of the kernels must be compiled for that; a program without the recorder ignores it.
add_library(launch_recorder OBJECT EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/support/launch_recorder.cpp)
target_compile_definitions(launch_recorder PUBLIC ROCMFORGE_OBSERVE_LAUNCHES=1)
target_link_libraries(launch_recorder PRIVATE rocmforge_kernels rocmforge_all_targets PUBLIC GTest::gtest)
if(TARGET rocmforge_emulation)
  target_link_libraries(launch_recorder PRIVATE rocmforge_emulation)
endif()
if(ROCMFORGE_PLATFORM STREQUAL nvidia)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/support/launch_recorder.cpp PROPERTIES LANGUAGE CUDA)
  set_target_properties(launch_recorder PROPERTIES CUDA_ARCHITECTURES "${ROCMFORGE_NVIDIA_TARGETS}")
endif()
if(NOT ROCMFORGE_PLATFORM STREQUAL host OR ROCMFORGE_SANITIZE)
  target_compile_definitions(weight_kernels PRIVATE ROCMFORGE_OBSERVE_LAUNCHES=1)
endif()

set(ROCMFORGE_TEST_LAUNCHER "$ENV{ROCMFORGE_TEST_LAUNCHER}"
  CACHE STRING "A command that is put before each test program, such as an emulator")
separate_arguments(test_launcher UNIX_COMMAND "${ROCMFORGE_TEST_LAUNCHER}")

# Several tests run at a time, so that threads that wait must not keep a processor busy. Tests ask for more memory than there
# is, and expect to be refused it.
set(test_environment OMP_WAIT_POLICY=passive ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1)
if(ROCMFORGE_TEST_LAUNCHER)
  list(APPEND test_environment "ROCMFORGE_TEST_LAUNCHER=${ROCMFORGE_TEST_LAUNCHER}")  # launch_recorder.cpp asks for it
endif()
if(ROCMFORGE_SANITIZE MATCHES thread)
  # Archer tells the sanitizer what OpenMP's threads wait for; without it every parallel loop looks like a race.
  find_library(archer archer PATHS /usr/lib/llvm-19/lib REQUIRED)
  list(APPEND test_environment
    OMP_TOOL_LIBRARIES=${archer} "TSAN_OPTIONS=ignore_noninstrumented_modules=1 allocator_may_return_null=1")
endif()

set(host_test_headers <gtest/gtest.h> <nlohmann/json.hpp> <rocmforge/tokenizer.hpp> <rocmforge/gguf.hpp>
  <filesystem> <fstream> <functional> <map> <random> <set> ${PROJECT_SOURCE_DIR}/tests/support/gguf_writer.hpp)

# Tests of building blocks, whose kernels are in no launcher and so not in the ledger; and norm_test, which tests/run starts to
# show that there is no GPU.
set(compiled_tests memory packet_memory rows reduce matrix sincos tanh norm)
# On the host a test is compiled without optimization, which would take longer than it saves; but for these, which run for long.
# What -O3 makes of the kernels is run by golden_test and the decoder.
set(long_tests attention attention_hidden attention_paged attention_parts gemm linear_types model sampling sampling_draw sort
  emulation threads pre_tokenizer gguf_sweep gguf_fuzz tokenizer_fuzz)

function(rocmforge_test NAME)
  cmake_parse_arguments(ARG "HOST_ONLY;NOT_EMULATED" "" "SOURCES;LABELS" ${ARGN})
  set(program ${NAME}_test)
  set(sources ${program}.cpp)
  if(ARG_SOURCES)
    list(TRANSFORM ARG_SOURCES APPEND _test.cpp OUTPUT_VARIABLE sources)
  endif()
  set(large)
  foreach(source IN LISTS sources)
    file(STRINGS ${source} large_cases REGEX "^TEST.*_large\\)")
    list(APPEND large ${large_cases})
  endforeach()
  # Plain C++ needs no emulated devices, but for the test of the emulation itself.
  set(sees_emulation OFF)
  if("${NAME}" STREQUAL "emulation" OR (emulation AND NOT ARG_NOT_EMULATED AND NOT ARG_HOST_ONLY))
    set(sees_emulation ON)
  endif()
  if("${NAME}" STREQUAL "emulation")
    set(weight_kernels)
  elseif(ARG_HOST_ONLY)
    set(weight_kernels weight_kernels_host)
  elseif(sees_emulation)
    set(weight_kernels weight_kernels_emulated)
  else()
    set(weight_kernels weight_kernels)
  endif()
  if(ROCMFORGE_COMPILE_ONLY AND NOT ROCMFORGE_PLATFORM STREQUAL host AND NOT ARG_HOST_ONLY)
    if(NOT "${NAME}" IN_LIST compiled_tests)
      add_library(${program} OBJECT ${program}.cpp)
      if(ROCMFORGE_PLATFORM STREQUAL nvidia)
        set_source_files_properties(${program}.cpp PROPERTIES LANGUAGE CUDA)
      endif()
      rocmforge_only_check(${program})
      target_compile_definitions(${program} PRIVATE ROCMFORGE_OBSERVE_LAUNCHES=1)
      target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR})
      target_link_libraries(${program} PRIVATE rocmforge_kernels rocmforge_all_targets rocmforge::model GTest::gtest)
      return()
    endif()
    set(weight_kernels)  # none of compiled_tests multiplies by weights
  endif()
  if(ARG_HOST_ONLY)
    if(NOT ROCMFORGE_PLATFORM STREQUAL host)
      return()
    endif()
    rocmforge_program(${program} ${sources} HOST_ONLY)
    target_link_libraries(${program} PRIVATE rocmforge::model)
    if(ARG_SOURCES)
      set_target_properties(${program} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
    endif()
  else()
    rocmforge_program(${program} ${program}.cpp)
  endif()
  if(sees_emulation)
    target_link_libraries(${program} PRIVATE rocmforge_emulation)
  endif()
  target_link_libraries(${program} PRIVATE ${weight_kernels})
  if(NOT ARG_HOST_ONLY AND NOT (ROCMFORGE_PLATFORM STREQUAL host AND ARG_NOT_EMULATED))
    target_link_libraries(${program} PRIVATE launch_recorder)
  endif()
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR})
  target_link_libraries(${program} PRIVATE GTest::gtest_main)

  # Headers of each kind of test. GPU compilers get along without, and say which of these a kernel test fails to include.
  set(optimization -O0)
  if("${NAME}" IN_LIST long_tests)
    set(optimization -O1)
  endif()
  if(ROCMFORGE_PLATFORM STREQUAL host AND NOT ARG_NOT_EMULATED)
    target_compile_options(${program} PRIVATE $<$<CONFIG:Release>:${optimization}>)
    if(sees_emulation)
      rocmforge_precompile(${program} emulated_tests${optimization} ${PROJECT_SOURCE_DIR}/tests/support/kernel_test.hpp)
    elseif(ARG_HOST_ONLY)
      rocmforge_precompile(${program} host_tests${optimization} ${host_test_headers})
    else()
      rocmforge_precompile(${program} kernel_tests${optimization} ${PROJECT_SOURCE_DIR}/tests/support/kernel_test.hpp)
    endif()
  endif()

  if(large)
    rocmforge_add_test(${program} ${program} "-*_large:*_large/*" "${ARG_LABELS}")
    rocmforge_add_test(${program}.large ${program} "*_large:*_large/*" "${ARG_LABELS};large")
  else()
    rocmforge_add_test(${program} ${program} "*" "${ARG_LABELS}")
  endif()
endfunction()

function(rocmforge_add_test NAME PROGRAM FILTER LABELS)
  add_test(NAME ${NAME} COMMAND ${test_launcher} $<TARGET_FILE:${PROGRAM}>)
  set(environment GTEST_OUTPUT=xml:${PROJECT_BINARY_DIR}/results/${NAME}.xml GTEST_FILTER=${FILTER} ${test_environment})
  set_tests_properties(${NAME} PROPERTIES LABELS "${LABELS}" TIMEOUT 900 ENVIRONMENT "${environment}")
endfunction()
