"""Words of C: names that a generated function must not have, because C reserves or defines them.

Among them are keywords, macros and the functions of the standard library, including those of headers that
only the surrounding program may include. Next door: `c_text.py` chooses the name of a function.
"""

_LANGUAGE = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const
    const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit
    export extern false float for friend goto if inline int long mutable namespace new noexcept not
    not_eq nullptr operator or or_eq private protected public register reinterpret_cast restrict return
    short signed sizeof static static_assert static_cast struct switch template this thread_local throw
    true try typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile
    while xor xor_eq linux unix i386 main errno assert offsetof NULL EOF I complex imaginary stdin
    stdout stderr
"""
_FAMILIES = """
    acos acosh asin asinh atan atan2 atanh cabs cacos cacosh canonicalize carg casin casinh catan catanh
    cbrt ccos ccosh ceil cexp cimag clog conj copysign cos cosh cpow cproj creal csin csinh csqrt ctan
    ctanh drem erf erfc exp exp10 exp2 expm1 fabs fdim finite floor fma fmax fmaximum fmaximum_mag
    fmaximum_mag_num fmaximum_num fmaxmag fmin fminimum fminimum_mag fminimum_mag_num fminimum_num
    fminmag fmod frexp fromfp fromfpx gamma getpayload hypot ilogb isinf isnan j0 j1 jn ldexp lgamma
    llogb llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nextdown
    nexttoward nextup pow pow10 remainder remquo rint round roundeven scalb scalbln scalbn setpayload
    setpayloadsig significand sin sincos sinh sqrt tan tanh tgamma totalorder totalordermag trunc
    ufromfp ufromfpx y0 y1 yn M_1_PI M_2_PI M_2_SQRTPI M_E M_LN10 M_LN2 M_LOG10E M_LOG2E M_PI M_PI_2
    M_PI_4 M_SQRT1_2 M_SQRT2
"""
_LIBRARY = """
    lgamma_r lgammaf_r lgammal_r daddl ddivl dfmal dmull dsqrtl dsubl fadd faddl fdiv fdivl ffma ffmal
    fmul fmull fsqrt fsqrtl fsub fsubl signgam float_t double_t math_errhandling MATH_ERRNO
    MATH_ERREXCEPT MAXFLOAT NAN SNAN SNANF SNANL INFINITY HUGE_VAL HUGE_VALF HUGE_VALL HUGE DOMAIN SING
    OVERFLOW UNDERFLOW PLOSS TLOSS FP_ILOGB0 FP_ILOGBNAN FP_INFINITE FP_NAN FP_NORMAL FP_SUBNORMAL
    FP_ZERO FP_LLOGB0 FP_LLOGBNAN FP_INT_UPWARD FP_INT_DOWNWARD FP_INT_TONEAREST
    FP_INT_TONEARESTFROMZERO FP_INT_TOWARDZERO fpclassify isfinite isgreater isgreaterequal isless
    islessequal islessgreater isnormal isunordered signbit iscanonical iseqsig issignaling issubnormal
    iszero abort abs alloca aligned_alloc atexit atof atoi atol atoll bcmp bcopy bsearch bzero calloc
    clock ctime difftime div execl execlp execv execve execvp exit ffs fork free getenv gmtime imaxabs
    index kill labs ldiv llabs lldiv localtime longjmp malloc mblen mbstowcs mbtowc memccpy memchr
    memcmp memcpy memmove mempcpy memset mktime pause putenv qsort quick_exit raise rand random realloc
    rindex setjmp signal sleep srand srandom stpcpy strcasecmp strcat strchr strcmp strcoll strcpy
    strcspn strdup strerror strftime strlen strncat strncmp strncpy strndup strpbrk strrchr strspn
    strstr strtod strtof strtok strtol strtold strtoll strtoul strtoull strxfrm system time tolower
    toupper wait wcstombs wctomb clearerr close creat fclose fdopen feof ferror fflush fgetc fgetpos
    fgets fopen fprintf fputc fputs fread freopen fscanf fseek fsetpos ftell fwrite getc getchar gets
    link open perror pipe popen printf putc putchar puts read remove rename rewind scanf select send
    recv socket bind listen accept connect setbuf setvbuf snprintf sprintf sscanf stat tmpfile tmpnam
    ungetc unlink vfprintf vfscanf vprintf vscanf vsnprintf vsprintf vsscanf write isalnum isalpha
    isascii isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit toascii
    dcgettext dgettext gettext strfmon
"""

WORDS = frozenset(
    [*_LANGUAGE.split(), *_LIBRARY.split()]
    + [name + number for name in _FAMILIES.split() for number in ("", "f", "l")]
)
