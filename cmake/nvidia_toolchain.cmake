# Toolchain of the preset 'nvidia': the nvcc that scripts/nvcc finds.
execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../scripts/nvcc find
  OUTPUT_VARIABLE nvcc OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT nvcc)
  message(FATAL_ERROR "no nvcc in CUDA_PATH, PATH or /usr/local/cuda; 'scripts/install nvidia' fetches one")
endif()
set(CMAKE_CUDA_COMPILER ${nvcc})
