#include <httpd.h>
#include <http_config.h>
#include <http_core.h>

#include <apr_strings.h>

#include "mount.h"

#include <stdbool.h>

const struct lazy_mount *lazy_mount_of(const request_rec *request)
{
    return ap_get_module_config(request->request_config, &lazyscgi_module);
}

static const struct lazy_section *section_of(const request_rec *request)
{
    const struct lazy_section *section =
        ap_get_module_config(request->per_dir_config, &lazyscgi_module);

    return section->source == LAZY_SOURCE_FILE || section->source == LAZY_SOURCE_INLINE ? section
                                                                                         : NULL;
}

/* Does `path` begin with the folder, or URL path, `prefix`? */
static bool is_below(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(path, prefix, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static void mount(request_rec *request, const struct lazy_section *section, size_t split)
{
    struct lazy_mount *mount = apr_palloc(request->pool, sizeof *mount);

    mount->section = section;
    mount->script_name = apr_pstrmemdup(request->pool, request->uri, split);
    mount->path_info = request->uri + split;
    ap_set_module_config(request->request_config, &lazyscgi_module, mount);
    request->handler = LAZY_HANDLER;
}

int lazy_mount_translate(request_rec *request)
{
    const struct lazy_section *section = section_of(request);

    if (section == NULL || section->place.kind != LAZY_PLACE_LOCATION || *request->uri != '/' ||
        !is_below(request->uri, section->place.path))
        return DECLINED;
    mount(request, section, strlen(section->place.path));
    request->filename = apr_pstrdup(request->pool, "lazyscgi:/"); /* nothing that mod_mime knows */
    return OK;
}

/* There is no file, so no <Directory> or <Files> is to be looked for. */
int lazy_mount_map(request_rec *request)
{
    return lazy_mount_of(request) != NULL ? OK : DECLINED;
}

/* How much of the URL path leads to the folder: what follows it in the file's path follows it there. */
static size_t split_at_folder(const request_rec *request, const char *folder)
{
    const char *file = apr_pstrcat(request->pool, request->filename, request->path_info, NULL);
    size_t uri = strlen(request->uri), rest;

    if (!is_below(file, folder))
        return 0;
    rest = strlen(file) - strlen(folder);
    /* httpd leaves a slash away that ends the name of a folder */
    if (uri > 0 && request->uri[uri - 1] == '/' && file[strlen(file) - 1] != '/')
        rest++;
    if (rest > uri || (strcmp(request->uri + uri - rest, file + strlen(folder)) != 0 &&
                       strncmp(request->uri + uri - rest, file + strlen(folder), rest - 1) != 0))
        return 0;
    return uri - rest;
}

int lazy_mount_fixup(request_rec *request)
{
    const struct lazy_section *section = section_of(request);
    size_t split = 0;

    if (lazy_mount_of(request) != NULL) {
        request->handler = LAZY_HANDLER; /* whatever SetHandler or AddHandler said since */
        return OK;
    }
    if (section == NULL || *request->uri != '/')
        return DECLINED;
    if (section->place.kind == LAZY_PLACE_DIRECTORY)
        split = split_at_folder(request, section->place.path);
    if (section->place.kind == LAZY_PLACE_LOCATION && is_below(request->uri, section->place.path))
        split = strlen(section->place.path);
    mount(request, section, split);
    return OK;
}
