/* How waiting requests learn that a start has ended, without asking again and again: a FIFO in the
 * state folder whose write end is open in whoever holds the lock. When the holder ends, for whatever
 * reason, the kernel hangs up on all readers at once (poll: POLLHUP). Unlike inotify it has no limit
 * of instances per user (128 by default) and works on every POSIX system. */
#ifndef LAZY_BELL_H
#define LAZY_BELL_H

/* Opens the bell for listening, made when it isn't there. A listener hears only holders that were
 * there after it opened: open, check the server and the lock once more, then poll; open anew after
 * each ring. -1 and errno when the file system has no FIFOs. */
int lazy_bell_listen(int folder, const char *name);

/* Opens the end that rings when its last copy is closed. -1 and errno. */
int lazy_bell_hold(int folder, const char *name);

#endif
