# ntq_library(folder DEPENDS targets...): one static library per folder, of all sources in it but those whose path
# within the folder matches EXCLUDE.
function(ntq_library folder)
  cmake_parse_arguments(ARG "" "EXCLUDE" "DEPENDS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS *.cpp)
  list(FILTER sources EXCLUDE REGEX "(^|/)kernels/")
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${ARG_EXCLUDE}")
  endif()
  add_library(ntq_${folder} STATIC ${sources})
  add_library(ntq::${folder} ALIAS ntq_${folder})
  target_compile_features(ntq_${folder} PUBLIC cxx_std_20)
  target_include_directories(ntq_${folder} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/ntq>)
  target_link_libraries(ntq_${folder} PUBLIC ${ARG_DEPENDS} PRIVATE $<BUILD_INTERFACE:ntq_options> ${ARG_PRIVATE})
  set_target_properties(ntq_${folder} PROPERTIES EXPORT_NAME ${folder})
endfunction()

# ntq_small(sources...): what runs once for each file is compiled for size, in the libraries that others link.
function(ntq_small)
  if(CMAKE_BUILD_TYPE STREQUAL Release)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -Os)
  endif()
endfunction()
