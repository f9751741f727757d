# LAZYSCGI_APXS
# -------------
# --with-apxs[=PATH], --without-apxs, --with-apache-moduledir=DIR.  apxs is asked where httpd's headers
# and modules are, and for nothing else: compilers, flags and prefix stay the packager's.  Sets
# lazyscgi_module_kind for the summary, APACHE_CPPFLAGS, apache_moduledir and the conditional MODULE.
AC_DEFUN([LAZYSCGI_APXS], [
AC_ARG_WITH([apxs],
  [AS_HELP_STRING([--with-apxs@<:@=PATH@:>@],
    [build mod_lazyscgi, with this apxs (default: when one is found)])],
  [], [with_apxs=auto])
AC_ARG_WITH([apache-moduledir],
  [AS_HELP_STRING([--with-apache-moduledir=DIR], [where mod_lazyscgi is installed (default: apxs knows)])],
  [], [with_apache_moduledir=])

APXS=no
AS_CASE([$with_apxs],
  [no], [lazyscgi_module_kind="no (--without-apxs)"],
  [yes|auto], [AC_PATH_PROGS([APXS], [apxs apxs2], [no], [$PATH:/usr/sbin:/usr/local/sbin:/usr/local/apache2/bin])],
  [AS_IF([test -x "$with_apxs"], [APXS=$with_apxs], [AC_MSG_ERROR([there is no apxs at $with_apxs])])])
AS_IF([test "$APXS" = no], [
  AS_IF([test "x$with_apxs" = xyes], [AC_MSG_ERROR([no apxs found (Debian: apache2-dev)])])
  AS_IF([test "x$with_apxs" != xno], [lazyscgi_module_kind="no (no apxs found)"])
], [
  lazyscgi_apr=`$APXS -q APR_CONFIG`
  # as system headers: their macros draw warnings that aren't ours to mend
  APACHE_CPPFLAGS="-isystem `$APXS -q INCLUDEDIR` `$lazyscgi_apr --includes | sed 's/-I/-isystem /g'` `$lazyscgi_apr --cppflags`"
  apache_moduledir=${with_apache_moduledir:-`$APXS -q LIBEXECDIR`}
  lazyscgi_save=$CPPFLAGS
  CPPFLAGS="$CPPFLAGS $APACHE_CPPFLAGS"
  AC_MSG_CHECKING([whether httpd's headers are of 2.4])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#include <httpd.h>
#include <http_core.h>
#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 47)
#error older than httpd 2.4.17
#endif
]])], [AC_MSG_RESULT([yes])], [
    AC_MSG_RESULT([no])
    AC_MSG_ERROR([mod_lazyscgi needs the headers of httpd 2.4.17 or later; --without-apxs leaves it out])])
  CPPFLAGS=$lazyscgi_save
  lazyscgi_module_kind="yes, into $apache_moduledir"
])
AC_SUBST([APACHE_CPPFLAGS])
AC_SUBST([apache_moduledir])
AM_CONDITIONAL([MODULE], [test "$APXS" != no])
])
