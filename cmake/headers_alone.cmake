# Compiles every header by itself, so that none leans on what another one happens to include.
file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/include/*.hpp)
# A platform's file is for that platform.
set(others_host "gpu/")
set(others_amd "host/|gpu/nvidia")
set(others_nvidia "host/|gpu/amd")
list(FILTER headers EXCLUDE REGEX "/platform/(${others_${ROCMFORGE_PLATFORM}})")
if(NOT ROCMFORGE_PLATFORM STREQUAL host)
  # Files and text have nothing to do with a GPU; and a model's headers would compile every kernel again, each of them.
  list(FILTER headers EXCLUDE REGEX "^rocmforge/(gguf|text|model)/|^rocmforge/(gguf|tokenizer|model)\\.hpp$")
endif()

set(sources)
foreach(header IN LISTS headers)
  string(MAKE_C_IDENTIFIER ${header} name)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/headers_alone/${name}.cpp)
  # Twice, for #pragma once.
  file(CONFIGURE OUTPUT ${source} CONTENT "#include <${header}>\n#include <${header}>\n")
  list(APPEND sources ${source})
endforeach()
add_library(headers_alone OBJECT ${sources})
target_link_libraries(headers_alone PRIVATE rocmforge_kernels rocmforge::model)
target_compile_options(headers_alone PRIVATE -O0)
if(ROCMFORGE_PLATFORM STREQUAL amd)
  target_compile_options(headers_alone PRIVATE --offload-arch=gfx1100)
elseif(ROCMFORGE_PLATFORM STREQUAL nvidia)
  set_source_files_properties(${sources} PROPERTIES LANGUAGE CUDA)
endif()
