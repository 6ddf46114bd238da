# The nvidia platform: nvcc compiles every kernel source, for all of ROCMFORGE_NVIDIA_TARGETS.
set(CMAKE_CUDA_ARCHITECTURES ${ROCMFORGE_NVIDIA_TARGETS})
enable_language(CUDA)
if(ROCMFORGE_COMPILE_ONLY)
  # The code for the processor, the kernels' PTX, and the card's instructions.
  set(CMAKE_CUDA_FLAGS_RELEASE "-O0 -DNDEBUG -Xcicc -O1 -Xptxas -O1")
endif()
list(JOIN host_warnings "," host_warnings)
# The standard is spelt out because CMake 3.25 does not know that nvcc has C++20.
target_compile_options(rocmforge_kernels INTERFACE
  "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-std=c++20 -Werror all-warnings -Xcompiler=${host_warnings}>")
