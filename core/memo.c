#include "memo.h"

#include "deadline.h"

#include <stddef.h>

bool lazy_memo_knows(const struct lazy_memo *memo, enum lazy_absent what, int ms)
{
    return memo != NULL &&
           lazy_now() - atomic_load_explicit(&memo->seen[what], memory_order_relaxed) < ms;
}

void lazy_memo_keep(struct lazy_memo *memo, enum lazy_absent what)
{
    if (memo != NULL)
        atomic_store_explicit(&memo->seen[what], lazy_now(), memory_order_relaxed);
}

void lazy_memo_drop(struct lazy_memo *memo, enum lazy_absent what)
{
    if (memo != NULL)
        atomic_store_explicit(&memo->seen[what], 0, memory_order_relaxed);
}
