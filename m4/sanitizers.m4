# LAZYSCGI_SANITIZERS
# -------------------
# --enable-sanitizers: AddressSanitizer and UndefinedBehaviorSanitizer in everything that $CC builds.
# Sets: SANITIZE, flags for compiling and for linking, and enable_sanitizers to yes or no.
AC_DEFUN([LAZYSCGI_SANITIZERS], [
AC_REQUIRE([AC_PROG_CC])
AC_ARG_ENABLE([sanitizers],
  [AS_HELP_STRING([--enable-sanitizers], [build with ASan and UBSan (implies a dynamic CGI program)])],
  [], [enable_sanitizers=no])
SANITIZE=
AS_IF([test "x$enable_sanitizers" != xno], [
  enable_sanitizers=yes
  SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
  lazyscgi_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $SANITIZE"
  AC_MSG_CHECKING([whether $CC links with $SANITIZE])
  AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([--enable-sanitizers: $CC can't link sanitized programs; is its runtime library installed?])])
  CFLAGS=$lazyscgi_save_CFLAGS
])
AC_SUBST([SANITIZE])
])
