# cmake -DNM=nm -DISA=avx2 -DOBJECTS="a.o;b.o" -P kernel_symbols.cmake
# The linker keeps one copy of each weak symbol for the whole program. One that a kernel object compiled for a newer
# instruction set shares with other objects (std::max<float>, an inline function of a header) could so reach the
# portable path and crash older processors. Weak symbols must carry the kernel's own namespace in their name.
foreach(object ${OBJECTS})
  execute_process(COMMAND ${NM} --demangle --defined-only ${object} OUTPUT_VARIABLE symbols RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${NM} cannot read ${object}")
  endif()
  string(REPLACE ";" "," symbols "${symbols}")
  string(REGEX MATCHALL "[^\n]* [WVu] [^\n]*" weak "${symbols}")
  list(FILTER weak EXCLUDE REGEX "${ISA}::| DW\\.ref\\.")
  if(weak)
    list(JOIN weak "\n  " lines)
    message(FATAL_ERROR "${object} shares weak symbols with objects of other instruction sets:\n  ${lines}\n"
                        "Write these as functions in the kernels' own namespace.")
  endif()
endforeach()
