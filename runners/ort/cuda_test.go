package ort

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What ONNX Runtime 1.28 said on machines that lacked something (its own words, shortened), and what to do.
func TestCUDAErrors(t *testing.T) {
	for says, remedy := range map[string]string{
		"Failed to load library /x/libonnxruntime_providers_shared.so with error: /x/libonnxruntime_providers_shared.so: " +
			"cannot open shared object file": "computes on the CPU alone; run `ovbench setup --device cuda`",
		"Failed to load shared library": "computes on the CPU alone; run `ovbench setup --device cuda`",
		"Failed to load library /x/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared " +
			"object file": "a library of CUDA is missing; run `ovbench setup --device cuda`",
		"Failed to load library /x/libonnxruntime_providers_cuda.so with error: libcudart.so.13: cannot open shared object " +
			"file": "a library of CUDA is missing",
		"Failed to load library /x/libonnxruntime_providers_cuda.so with error: libcurand.so.10: cannot open shared object " +
			"file": "a library of CUDA is missing",
		"Failed to load library /x/libonnxruntime_providers_cuda.so with error: libcuda.so.1: cannot open shared object file":        "the NVIDIA driver is not installed",
		`Failed to parse provider option "device_id": CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version`: "driver is older than CUDA 13 needs",
		`Failed to parse provider option "device_id": CUDA failure 100: no CUDA-capable device is detected`:                          "the driver sees no GPU",
		`Failed to parse provider option "device_id": Invalid device ID: 3, must be between 0 and 1`:                                 "there is no GPU of that number",
		"something new": "ovbench doctor",
	} {
		err := cudaError(Device{CUDA, 1}, errors.New(says))
		wantError(t, err, "device cuda:1: "+says, remedy)
	}
	if err := cudaError(Device{}, nil); err != nil {
		t.Error(err)
	}
}

func TestCUDAOptions(t *testing.T) {
	o := cudaOptions(Device{CUDA, 2})
	if o["device_id"] != "2" || o["use_tf32"] != "0" {
		t.Errorf("%v", o)
	}
}

// A library for the CPU alone says so, whatever the machine has.
func TestCUDAWantsItsLibrary(t *testing.T) {
	l := library(t)
	if exists(filepath.Join(filepath.Dir(l.Path), CUDA.file())) {
		t.Skip("the library here has CUDA")
	}
	for _, p := range []Precision{F32, F16} {
		_, err := l.NewSession("sum", sum().model(), Options{Device: Device{CUDA, 0}, Precision: p})
		wantError(t, err, "sum: session options: device cuda: ", "`ovbench setup --device cuda`")
	}
}

// compile makes a shared library of C.
func compile(t *testing.T, path, text string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("opens shared libraries, on Linux")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", path)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc, which cgo needs too: %v\n%s", err, out)
	}
}

// Beside the library or in the wheels beside its own, CUDA's libraries are opened; one that is missing among them is
// named.
func TestPreload(t *testing.T) {
	root := t.TempDir()
	capi := filepath.Join(root, "site-packages", "onnxruntime", "capi")
	library := filepath.Join(capi, "libonnxruntime.so.1.28.0")
	if err := preload(library); err != nil { // none are there: the loader may know them
		t.Error(err)
	}
	nvidia := filepath.Join(root, "site-packages", "nvidia", "cu13", "lib")
	compile(t, filepath.Join(nvidia, cudaFiles[0]), "int here;")
	if err := os.MkdirAll(capi, 0o755); err != nil {
		t.Fatal(err)
	}
	wantError(t, preload(library), "libcublasLt.so.13", "`ovbench setup --device cuda`")
	for _, name := range cudaFiles {
		compile(t, filepath.Join(nvidia, name), "int here;")
	}
	if err := preload(library); err != nil {
		t.Error(err)
	}
	compile(t, filepath.Join(capi, cudaFiles[0]), "int here;")
	if err := os.WriteFile(filepath.Join(capi, cudaFiles[1]), []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantError(t, preload(library), "libcublasLt.so.13", "a library of CUDA is missing")
}

// A library that takes signal handlers away as it is opened does not keep them.
func TestKeepSignals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thief.so")
	compile(t, path, `#include <signal.h>
static void stolen(int s) {}
__attribute__((constructor)) static void steal(void) { signal(SIGUSR1, stolen); signal(SIGTERM, stolen); }`)
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGUSR1, syscall.SIGTERM)
	defer signal.Stop(got)
	var err error
	if n := keepSignals(func() { err = openShared(path) }); err != nil || n != 2 {
		t.Fatalf("%d handlers were changed, %v", n, err)
	}
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM} {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		select {
		case have := <-got:
			if have != s {
				t.Errorf("got %v, want %v", have, s)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%v did not arrive", s)
		}
	}
	if n := keepSignals(func() {}); n != 0 {
		t.Errorf("%d handlers were changed by nothing", n)
	}
}
