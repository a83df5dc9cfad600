# ntq_quick_to_compile(target): for commands and tests. What they compute with is in the libraries, and headers such as
# CLI11's take long to read and to optimise: little of the latter, and several files at a time.
function(ntq_quick_to_compile target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(NTQ_BATCHES)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON)
    # Files that another one includes look like headers to g++.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()
