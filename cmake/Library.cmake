# ntq_library(folder DEPENDS targets...): one static library per folder, of all sources in it.
function(ntq_library folder)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  list(FILTER sources EXCLUDE REGEX "/kernels/")
  add_library(ntq_${folder} STATIC ${sources})
  add_library(ntq::${folder} ALIAS ntq_${folder})
  target_compile_features(ntq_${folder} PUBLIC cxx_std_20)
  target_include_directories(ntq_${folder} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/ntq>)
  target_link_libraries(ntq_${folder} PUBLIC ${ARG_DEPENDS} PRIVATE $<BUILD_INTERFACE:ntq_options> ${ARG_PRIVATE})
  set_target_properties(ntq_${folder} PROPERTIES EXPORT_NAME ${folder})
endfunction()
