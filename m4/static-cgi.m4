# LAZYSCGI_STATIC_CGI
# -------------------
# --enable-static-cgi[=yes|no|auto]: should cgi/lazyscgi be a static program, and which compiler makes
# it?  Tried in turn: $STATIC_CC, musl-gcc, $CC.  A static program starts three times faster than a
# dynamic one and runs on any host of its architecture.
#
# Sets:       STATIC_CC, STATIC_CFLAGS, STATIC_LDFLAGS, the conditional STATIC_CGI and, for the
#             summary, lazyscgi_cgi_kind.
# Call after: LAZYSCGI_SANITIZERS.
AC_DEFUN([LAZYSCGI_STATIC_CGI], [
AC_REQUIRE([AC_PROG_CC])
AC_ARG_ENABLE([static-cgi],
  [AS_HELP_STRING([--enable-static-cgi@<:@=yes|no|auto@:>@],
    [build cgi/lazyscgi as a static program @<:@auto: when a static libc is found@:>@])],
  [AS_CASE([$enableval], [yes|no|auto], [],
    [AC_MSG_ERROR([--enable-static-cgi takes yes, no or auto, not '$enableval'])])],
  [enable_static_cgi=auto])
AC_ARG_VAR([STATIC_CC], [compiler for the static CGI program (default: musl-gcc, else CC)])
AC_ARG_VAR([STATIC_CFLAGS], [its compiler flags])
AC_ARG_VAR([STATIC_LDFLAGS], [its linker flags])

AS_IF([test "x$enable_sanitizers" = xyes],
  [AS_IF([test "x$enable_static_cgi" = xyes],
    [AC_MSG_ERROR([--enable-sanitizers needs a dynamic program: leave out --enable-static-cgi])])
   enable_static_cgi=no])

lazyscgi_cgi_kind="dynamic, by $CC"
AS_IF([test "x$enable_static_cgi" != xno], [
  lazyscgi_found=
  lazyscgi_save_CC=$CC lazyscgi_save_CFLAGS=$CFLAGS
  lazyscgi_save_CPPFLAGS=$CPPFLAGS lazyscgi_save_LDFLAGS=$LDFLAGS lazyscgi_save_LIBS=$LIBS
  CFLAGS= CPPFLAGS= LIBS=
  AS_IF([test -n "$STATIC_CC"], [set x "$STATIC_CC"],
    [test "x$cross_compiling" = xyes], [set x "$CC"],
    [set x musl-gcc "$CC"])
  shift
  for lazyscgi_cc
  do
    AC_MSG_CHECKING([whether $lazyscgi_cc makes static programs])
    CC=$lazyscgi_cc
    lazyscgi_answer=no
    for lazyscgi_flags in \
      "-Wl,--gc-sections,-z,norelro,-z,noseparate-code,-z,common-page-size=16,--build-id=none" ""
    do
      LDFLAGS="-static -s $lazyscgi_flags"
      AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <sys/socket.h>
#include <netdb.h>]], [[struct addrinfo *a; return getaddrinfo("localhost", "1", 0, &a);]])],
        [lazyscgi_answer=yes])
      AS_IF([test $lazyscgi_answer = yes], [break])
    done
    AC_MSG_RESULT([$lazyscgi_answer])
    AS_IF([test $lazyscgi_answer = yes], [
      lazyscgi_found=$lazyscgi_cc
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <sys/types.h>
#ifndef __GLIBC__
#error another libc
#endif]])],
        [lazyscgi_libc=glibc],
        [AS_CASE([$lazyscgi_cc], [*musl*], [lazyscgi_libc=musl], [lazyscgi_libc="its libc"])])
      : "${STATIC_LDFLAGS=$LDFLAGS}"
      break])
  done
  AS_IF([test -n "$lazyscgi_found"], [
    STATIC_CC=$lazyscgi_found
    LAZYSCGI_STATIC_SIZE_FLAGS
    lazyscgi_cgi_kind="static, by $STATIC_CC ($lazyscgi_libc)"
  ])
  CC=$lazyscgi_save_CC CFLAGS=$lazyscgi_save_CFLAGS
  CPPFLAGS=$lazyscgi_save_CPPFLAGS LDFLAGS=$lazyscgi_save_LDFLAGS LIBS=$lazyscgi_save_LIBS
  AS_IF([test -z "$lazyscgi_found"],
    [AS_IF([test "x$enable_static_cgi" = xyes],
      [AC_MSG_ERROR([no compiler makes static programs here: install musl-gcc (Debian: musl-tools) or set STATIC_CC])])
     lazyscgi_cgi_kind="$lazyscgi_cgi_kind (no static libc found)"])
])
AM_CONDITIONAL([STATIC_CGI], [test -n "$lazyscgi_found"])
])

# LAZYSCGI_STATIC_SIZE_FLAGS
# --------------------------
# STATIC_CFLAGS unless given: small code, as far as $CC (now the static compiler) knows the flags.
AC_DEFUN([LAZYSCGI_STATIC_SIZE_FLAGS], [
AS_IF([test "x${STATIC_CFLAGS+set}" != xset], [
  STATIC_CFLAGS=-Os
  # The odd ones were found by trying: together they are worth 1,400 bytes of 41,000 with gcc 12.
  for lazyscgi_flag in -Oz -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
    -fno-unwind-tables -fmerge-all-constants -fno-pie -flto -mgeneral-regs-only -fipa-pta \
    -fno-ipa-cp -fno-ipa-sra -fno-caller-saves -fno-expensive-optimizations -fno-shrink-wrap \
    -fno-inline-functions-called-once -fno-optimize-sibling-calls -fno-move-loop-invariants -fno-tree-tail-merge
  do
    CFLAGS="-Werror $lazyscgi_flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()], [STATIC_CFLAGS="$STATIC_CFLAGS $lazyscgi_flag"])
  done
  CFLAGS=
  STATIC_CFLAGS="$STATIC_CFLAGS -DLAZY_STATIC"
  # Its libc may be another than that of the tests.
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#define _GNU_SOURCE
#include <unistd.h>]], [[return _Fork() < 0;]])],
    [STATIC_CFLAGS="$STATIC_CFLAGS -DHAVE__FORK"])])
])
