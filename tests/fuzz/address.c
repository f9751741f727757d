/* Addresses: what lazy_address_parse() takes is what the system's own reader makes of it. */
#include "fuzz.h"

#include "core/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The path, or the abstract name behind its NUL, byte for byte; `text` without "unix:". */
static void check_unix(const struct lazy_address *address, const char *text)
{
    const struct sockaddr_un *un = &address->to.un;
    size_t length = strlen(text), begin = offsetof(struct sockaddr_un, sun_path);
    bool is_abstract = un->sun_path[0] == '\0';

    FUZZ_HOLDS(length > 0 && length < sizeof un->sun_path);
    FUZZ_HOLDS(address->length == begin + length + !is_abstract);
    FUZZ_HOLDS(memcmp(un->sun_path + is_abstract, text + is_abstract, length + 1 - is_abstract) == 0);
    FUZZ_HOLDS(!is_abstract || (*text == '@' && length > 1));
    FUZZ_HOLDS(lazy_address_path(address) == (is_abstract ? NULL : un->sun_path));
}

/* Puts the host, brackets and all, and the port in the form of which there is only one. */
static void print_tcp(const struct lazy_address *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    bool is_v6 = address->to.any.sa_family == AF_INET6;
    const void *from = is_v6 ? (const void *)&address->to.in6.sin6_addr
                             : (const void *)&address->to.in.sin_addr;

    FUZZ_HOLDS(inet_ntop(address->to.any.sa_family, from, host, sizeof host) != NULL);
    snprintf(text, size, is_v6 ? "[%s]:%d" : "%s:%d", host,
             ntohs(is_v6 ? address->to.in6.sin6_port : address->to.in.sin_port));
}

static void check_same(const struct lazy_address *address, const char *text)
{
    struct lazy_address again;
    struct lazy_error error;

    FUZZ_HOLDS(lazy_address_parse(&again, text, &error) == 0);
    FUZZ_HOLDS(memcmp(&again, address, sizeof again) == 0);
}

/* getaddrinfo(3), which takes more than we do, reads the same. */
static void check_tcp(const struct lazy_address *address, const char *text)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char canonical[INET6_ADDRSTRLEN + 10], host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':'), *start = text;
    size_t length;

    print_tcp(address, canonical, sizeof canonical);
    check_same(address, canonical);
    FUZZ_HOLDS(lazy_address_path(address) == NULL);
    FUZZ_HOLDS(colon != NULL);
    length = (size_t)(colon - text);
    if (*text == '[')
        start++, length -= 2;
    FUZZ_HOLDS(length < sizeof host);
    memcpy(host, start, length);
    host[length] = '\0';
    if (strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    FUZZ_HOLDS(getaddrinfo(host, colon + 1, &hints, &found) == 0);
    FUZZ_HOLDS(address->to.in.sin_port != 0); /* where the other family has it, too */
    FUZZ_HOLDS(found->ai_addrlen == address->length);
    FUZZ_HOLDS(memcmp(found->ai_addr, &address->to, address->length) == 0);
    freeaddrinfo(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lazy_address address;
    struct lazy_error error;
    char *text = fuzz_string(data, size);

    if (lazy_address_parse(&address, text, &error) < 0)
        fuzz_refused(&error);
    else if (address.to.any.sa_family == AF_UNIX)
        check_unix(&address, strncmp(text, "unix:", 5) == 0 ? text + 5 : text);
    else
        check_tcp(&address, text);
    free(text);
    return 0;
}
