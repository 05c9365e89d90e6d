package ort

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <string.h>

static const char *open_shared(const char *path) {
	return dlopen(path, RTLD_NOW | RTLD_LOCAL) ? NULL : dlerror();
}

static void trim(void) {
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

#define SIGNALS 32
static struct sigaction kept[SIGNALS];

static void keep_handlers(void) {
	for (int i = 1; i < SIGNALS; i++) sigaction(i, NULL, &kept[i]);
}

// Restores the handlers that are others now, and counts them.
static int restore_handlers(void) {
	int changed = 0;
	for (int i = 1; i < SIGNALS; i++) {
		struct sigaction now;
		if (sigaction(i, NULL, &now) != 0) continue;
		if (now.sa_sigaction == kept[i].sa_sigaction && now.sa_flags == kept[i].sa_flags) continue;
		if (sigaction(i, &kept[i], NULL) == 0) changed++;
	}
	return changed;
}
*/
import "C"

import (
	"errors"
	"sync"
	"unsafe"
)

// openShared loads a shared library for the life of the process.
func openShared(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	if said := C.open_shared(name); said != nil {
		return errors.New(C.GoString(said))
	}
	return nil
}

// Trim gives memory that the library has freed, as much as there is in making a session, back to the system.
func Trim() { C.trim() }

// keeping is held while a foreign library may be changing signal handlers.
var keeping sync.Mutex

// keepSignals does what may load or start CUDA, whose libraries put signal handlers in the place of Go's: without Go's,
// an interrupt ends the program instead of its work. Those that were there come back, and the number of changed ones is
// returned.
func keepSignals(do func()) (changed int) {
	keeping.Lock()
	defer keeping.Unlock()
	C.keep_handlers()
	do()
	return int(C.restore_handlers())
}
