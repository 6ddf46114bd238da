# The nvidia platform: nvcc compiles every kernel source, for all of ROCMFORGE_NVIDIA_TARGETS.
set(CMAKE_CUDA_ARCHITECTURES ${ROCMFORGE_NVIDIA_TARGETS})
enable_language(CUDA)
if(ROCMFORGE_COMPILE_ONLY)
  set(CMAKE_CUDA_FLAGS_RELEASE "-O0 -DNDEBUG -Xcicc -O0 -Xptxas -O0")
endif()
# rocmforge_only_check(TARGET): compiles the target's sources as far as PTX, without the card's instructions.
# No object comes of that, so that each build checks them again.
function(rocmforge_only_check TARGET)
  list(GET ROCMFORGE_NVIDIA_TARGETS 0 architecture)
  set_target_properties(${TARGET} PROPERTIES CUDA_ARCHITECTURES ${architecture}-virtual)
  target_compile_options(${TARGET} PRIVATE -Xcompiler=-fsyntax-only)
endfunction()
list(JOIN host_warnings "," host_warnings)
# The standard is spelt out because CMake 3.25 does not know that nvcc has C++20.
target_compile_options(rocmforge_kernels INTERFACE
  "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-std=c++20 -Werror all-warnings -Xcompiler=${host_warnings}>")
