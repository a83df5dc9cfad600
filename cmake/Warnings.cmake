# ntq_options: what every target of the project is compiled with.
add_library(ntq_options INTERFACE)
target_compile_options(ntq_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                                             -ffp-contract=off)
# g++ 12 sees overlaps in std::string's concatenation that are not there (GCC bug 105329).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(ntq_options INTERFACE -Wno-restrict)
endif()
# Files that another one includes look like headers to g++.
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(ntq_options INTERFACE -Wno-subobject-linkage)
endif()
if(NTQ_WERROR)
  target_compile_options(ntq_options INTERFACE -Werror)
endif()
if(NTQ_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The checks hide initialisations from g++'s flow analysis, inside of <functional> too (GCC bug 105562).
    target_compile_options(ntq_options INTERFACE -Wno-maybe-uninitialized)
  endif()
  target_compile_options(ntq_options INTERFACE -fsanitize=${NTQ_SANITIZE} -fno-omit-frame-pointer
                                               -fno-sanitize-recover=all)
  target_link_options(ntq_options INTERFACE -fsanitize=${NTQ_SANITIZE})
endif()
# Kernels, after ntq_options: the address sanitizer looks at each access already, and unrolled loops have very many. Checks
# of each pointer's arithmetic alone made clang take three times as long over them.
add_library(ntq_kernel_options INTERFACE)
if(NTQ_SANITIZE MATCHES "address.*undefined")
  target_compile_options(ntq_kernel_options INTERFACE -fno-sanitize=null,object-size,pointer-overflow)
endif()
