# Installs the libraries and headers, and the package files that find_package(ntq) reads; apps/ installs the commands.
option(NTQ_INSTALL "Install the library and its CMake package" ${PROJECT_IS_TOP_LEVEL})
if(NOT NTQ_INSTALL)
  return()
endif()
include(CMakePackageConfigHelpers)

set(folders base infer engine quant export layers models optim data train analyze)
list(TRANSFORM folders PREPEND ntq_ OUTPUT_VARIABLE libraries)
list(APPEND libraries ntq_onnx)
install(TARGETS ntq ${libraries} EXPORT ntqTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})

# #include "engine/tensor.h" works for users as it does here; the insides of backends, kernels and files stay private.
install(DIRECTORY ${folders} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ntq FILES_MATCHING
        PATTERN "*.h" PATTERN "engine/backend/cpu/*" EXCLUDE PATTERN "engine/backend/cuda/*" EXCLUDE
        PATTERN "base/safetensors/*" EXCLUDE
        PATTERN "base/integer/*" EXCLUDE PATTERN "infer/plan.h" EXCLUDE
        PATTERN "infer/codes.h" EXCLUDE PATTERN "infer/workspace.h" EXCLUDE PATTERN "infer/graph_json.h" EXCLUDE
        PATTERN "data/kernels/*" EXCLUDE PATTERN "engine/backend/module_library.h" EXCLUDE
        PATTERN "export/onnx/file.h" EXCLUDE PATTERN "export/onnx/weights.h" EXCLUDE
        PATTERN "export/onnx/writer.h" EXCLUDE
        PATTERN "engine/storage.h" EXCLUDE)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/ntq)
configure_package_config_file(cmake/ntqConfig.cmake.in ${PROJECT_BINARY_DIR}/ntqConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ntqConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ntqConfig.cmake ${PROJECT_BINARY_DIR}/ntqConfigVersion.cmake
        DESTINATION ${package})
install(EXPORT ntqTargets NAMESPACE ntq:: DESTINATION ${package})
