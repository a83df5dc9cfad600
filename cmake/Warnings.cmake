# ntq_options: what every target of the project is compiled with.
add_library(ntq_options INTERFACE)
target_compile_options(ntq_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                                             -ffp-contract=off)
if(NTQ_WERROR)
  target_compile_options(ntq_options INTERFACE -Werror)
endif()
if(NTQ_SANITIZE)
  target_compile_options(ntq_options INTERFACE -fsanitize=${NTQ_SANITIZE} -fno-omit-frame-pointer
                                               -fno-sanitize-recover=all)
  target_link_options(ntq_options INTERFACE -fsanitize=${NTQ_SANITIZE})
endif()
