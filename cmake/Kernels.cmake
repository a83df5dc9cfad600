# Kernels: sources that are compiled once per instruction set, each time into a namespace of its own.

# ntq_isa(name NEEDS features... OPTIONS options... [EXTENDS common FOR list]): the features as __builtin_cpu_supports()
# calls them. One that extends a common set is for the kernels of one list alone: integers, or bf16.
function(ntq_isa name)
  cmake_parse_arguments(ARG "" "EXTENDS;FOR" "NEEDS;OPTIONS" ${ARGN})
  set_property(GLOBAL PROPERTY NTQ_ISA_OPTIONS_${name} ${ARG_OPTIONS})
  list(TRANSFORM ARG_NEEDS REPLACE "(.+)" "__builtin_cpu_supports(\"\\1\") != 0")
  list(JOIN ARG_NEEDS " && " supported)
  if(NOT ARG_NEEDS)
    set(supported true)
  endif()
  set(lists common integers bf16)
  if(ARG_EXTENDS)
    set(lists ${ARG_FOR})
  endif()
  set_property(GLOBAL APPEND PROPERTY NTQ_ISAS ${name})
  foreach(list ${lists})
    set_property(GLOBAL APPEND PROPERTY NTQ_ISAS_${list} ${name})
    set_property(GLOBAL APPEND_STRING PROPERTY NTQ_ISA_ENTRIES_${list}
                                               "      {\"${name}\", ${supported}, \"${ARG_EXTENDS}\"},\n")
  endforeach()
endfunction()

# The instruction sets, best last. A new one is a line here.
ntq_isa(portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(avx2_options -mavx2 -mfma)
  set(avx512_options -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512
                     $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)  # a false alarm in g++ 12's own header (PR 105593)
  ntq_isa(avx2 NEEDS avx2 fma OPTIONS ${avx2_options})
  ntq_isa(avx512 NEEDS avx512f avx512bw avx512dq avx512vl OPTIONS ${avx512_options})
  ntq_isa(avx512bf16 EXTENDS avx512 FOR bf16 NEEDS avx512f avx512bw avx512dq avx512vl avx512bf16
          OPTIONS ${avx512_options} -mavx512bf16)
  ntq_isa(avx512vnni EXTENDS avx512 FOR integers NEEDS avx512f avx512bw avx512dq avx512vl avx512vnni
          OPTIONS ${avx512_options} -mavx512vnni)
endif()

# ntq_kernels(library folder namespace [ISAS integers|bf16]): to ntq_<library> the sources of <library>/<folder>, whose
# kernels.h declares in `namespace` a struct Kernels, kernels_of(isa) and chosen_kernels(), which are written here, and in
# the namespace NTQ_ISA within it `const Kernels& kernels()`, which a source defines for each instruction set.
function(ntq_kernels library folder namespace)
  cmake_parse_arguments(ARG "" "ISAS" "" ${ARGN})
  set(list common)
  if(ARG_ISAS)
    set(list ${ARG_ISAS})
  endif()
  string(REPLACE "/" "_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${library}/${folder}/*.cpp)
  get_property(isas GLOBAL PROPERTY NTQ_ISAS_${list})
  foreach(isa ${isas})
    set(target ntq_${library}_${name}_${isa})
    get_property(options GLOBAL PROPERTY NTQ_ISA_OPTIONS_${isa})
    add_library(${target} OBJECT ${sources})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_definitions(${target} PRIVATE NTQ_ISA=${isa} NTQ_ISA_NAME="${isa}")
    target_compile_options(${target} PRIVATE -O3 -fno-math-errno -fno-trapping-math ${options})
    target_link_libraries(${target} PRIVATE ntq_options ntq_kernel_options)
    set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)  # each file has its own `tile`
    target_sources(ntq_${library} PRIVATE $<TARGET_OBJECTS:${target}>)
    set_property(GLOBAL APPEND PROPERTY NTQ_KERNEL_TARGETS_${isa} ${target})
    string(APPEND declarations "namespace ${isa} {\nconst Kernels& kernels();\n}\n")
    string(APPEND tables "      ${isa}::kernels,\n")
  endforeach()
  configure_file(${PROJECT_SOURCE_DIR}/cmake/kernel_tables.cpp.in ${name}_tables.cpp @ONLY)
  target_sources(ntq_${library} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${name}_tables.cpp)
endfunction()
