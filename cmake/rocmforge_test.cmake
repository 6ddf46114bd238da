# rocmforge_test(NAME [HOST_ONLY] [LABELS ...]): the test program NAME_test from NAME_test.cpp, registered with ctest.
#
# A kernel test (no HOST_ONLY) is compiled for the platform of the build; on the host it sees the emulated devices too.
# A HOST_ONLY test exists in host builds alone. Each program writes its results to results/NAME_test.xml.

find_package(GTest REQUIRED)
# The emulated devices have but one thread, whose changes of stack the thread sanitizer does not follow.
if(ROCMFORGE_PLATFORM STREQUAL host AND NOT ROCMFORGE_SANITIZE MATCHES thread)
  set(emulation ON)
  find_package(Boost REQUIRED COMPONENTS context)
endif()

set(ROCMFORGE_TEST_LAUNCHER "$ENV{ROCMFORGE_TEST_LAUNCHER}"
  CACHE STRING "A command that is put before each test program, such as an emulator")
separate_arguments(test_launcher UNIX_COMMAND "${ROCMFORGE_TEST_LAUNCHER}")

# Tests ask for more memory than there is, and expect to be refused it.
set(test_environment ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1)
if(ROCMFORGE_SANITIZE MATCHES thread)
  # Archer tells the sanitizer what OpenMP's threads wait for; without it every parallel loop looks like a race.
  find_library(archer archer PATHS /usr/lib/llvm-19/lib REQUIRED)
  set(test_environment
    OMP_TOOL_LIBRARIES=${archer} "TSAN_OPTIONS=ignore_noninstrumented_modules=1 allocator_may_return_null=1")
endif()

function(rocmforge_test NAME)
  cmake_parse_arguments(ARG "HOST_ONLY" "" "LABELS" ${ARGN})
  set(program ${NAME}_test)
  if(ARG_HOST_ONLY)
    if(NOT ROCMFORGE_PLATFORM STREQUAL host)
      return()
    endif()
    rocmforge_program(${program} ${program}.cpp HOST_ONLY)
    target_link_libraries(${program} PRIVATE rocmforge::model)
  else()
    rocmforge_program(${program} ${program}.cpp)
  endif()
  # Plain C++ needs no emulated devices, but for the test of the emulation itself.
  if(emulation AND (NOT ARG_HOST_ONLY OR "${NAME}" STREQUAL "emulation"))
    target_compile_definitions(${program} PRIVATE ROCMFORGE_EMULATION=1)
    target_link_libraries(${program} PRIVATE Boost::context)
    # Three wave sizes are three times the code: -O1 compiles it in half the time. golden_test and the decoder run what
    # -O3 makes of the kernels.
    target_compile_options(${program} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR})
  target_link_libraries(${program} PRIVATE GTest::gtest_main)
  # Emulated lanes of the largest kernels take minutes under the address sanitizer; there they run on the serial device.
  set(filter)
  if(ROCMFORGE_SANITIZE MATCHES address AND "${NAME}" MATCHES "^(gemm|attention|model)")
    set(filter "GTEST_FILTER=-*emulated*")
  endif()
  add_test(NAME ${program} COMMAND ${test_launcher} $<TARGET_FILE:${program}>)
  set_tests_properties(${program} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 900
    ENVIRONMENT "GTEST_OUTPUT=xml:${PROJECT_BINARY_DIR}/results/${program}.xml;${test_environment};${filter}")
endfunction()
