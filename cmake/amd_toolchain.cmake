# Toolchain of the preset 'amd': the clang of an installed ROCm, else Debian's clang-19.
find_program(rocm_clang clang++ NO_DEFAULT_PATH NO_CACHE
  PATHS $ENV{ROCM_PATH}/lib/llvm/bin $ENV{ROCM_PATH}/llvm/bin /opt/rocm/lib/llvm/bin /opt/rocm/llvm/bin)
if(rocm_clang)
  set(CMAKE_CXX_COMPILER ${rocm_clang})
else()
  set(CMAKE_CXX_COMPILER clang++-19)
endif()
