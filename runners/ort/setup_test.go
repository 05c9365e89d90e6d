package ort

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const content = "what a library would be"

// testInstaller installs a release whose one member holds content.
func testInstaller(t *testing.T, log io.Writer) installer {
	sum := sha256.Sum256([]byte(content))
	r := release{version: "1.2.3", pack: "fake-node@1.2.3", builds: map[string]build{
		"linux/amd64": {"bin/x64/libonnxruntime.so.1", hex.EncodeToString(sum[:])},
	}}
	return installer{release: r, platform: "linux/amd64", target: r.path(t.TempDir(), "linux", "amd64"), log: log}
}

// writePackage writes a .tgz with the members in the order of names.
func writePackage(t *testing.T, members ...[2]string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: m[0], Size: int64(len(m[1])), Mode: 0o644,
			Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, m[1])
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "fake-node-1.2.3.tgz")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func goodPackage(t *testing.T) string {
	return writePackage(t,
		[2]string{"package/bin/arm64/libonnxruntime.so.1", "another"},
		[2]string{"package/bin/x64/libonnxruntime.so.1", content},
		[2]string{"package/README.md", "read me"})
}

// fakeNPM puts a program named npm first on the PATH. It notes its arguments in the returned file, and
// then script runs, in which $dest is the folder that npm was asked to write to.
func fakeNPM(t *testing.T, script string) (calls string) {
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	text := "#!/bin/sh\necho \"$@\" >> '" + calls + "'\ndest=$4\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "npm"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return calls
}

// checkInstalled checks that the target is there, and nothing beside it but the lock.
func checkInstalled(t *testing.T, i installer) {
	t.Helper()
	if b, err := os.ReadFile(i.target); err != nil || string(b) != content {
		t.Errorf("installed %q, %v", b, err)
	}
	if all := entries(filepath.Dir(i.target), "*"); len(all) != 2 {
		t.Errorf("the folder holds %v", all)
	}
}

func TestInstallWithNPM(t *testing.T) {
	calls := fakeNPM(t, "cp '"+goodPackage(t)+"' \"$dest\"; echo fake-node-1.2.3.tgz")
	var log bytes.Buffer
	i := testInstaller(t, &log)
	stale := filepath.Join(filepath.Dir(i.target), "fetch-123")
	if err := os.MkdirAll(stale, 0o755); err != nil {
		t.Fatal(err)
	}

	var wg sync.WaitGroup // flock excludes open files, be they of two processes or of one
	for range 4 {
		i := i
		i.log = io.Discard
		wg.Go(func() {
			if err := i.install(t.Context(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	checkInstalled(t, i)
	if err := i.install(t.Context(), ""); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\n"); n != 1 ||
		!strings.HasPrefix(string(b), "pack fake-node@1.2.3 --pack-destination "+filepath.Dir(i.target)) {
		t.Errorf("npm was called %d times:\n%s", n, b)
	}
	if got, want := log.String(), "onnxruntime: "+i.target+" is there\n"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}

	// A damaged file is replaced.
	if err := os.WriteFile(i.target, []byte(content[1:]), 0o644); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	if err := i.install(t.Context(), ""); err != nil {
		t.Error(err)
	}
	checkInstalled(t, i)
	for _, line := range []string{"fetching fake-node@1.2.3 with npm", "version 1.2.3, checksum verified"} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("log %q lacks %q", log.String(), line)
		}
	}
}

func TestInstallFromTarball(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no npm
	i := testInstaller(t, io.Discard)
	if err := i.install(t.Context(), goodPackage(t)); err != nil {
		t.Error(err)
	}
	checkInstalled(t, i)
}

func TestInstallRefusesPackage(t *testing.T) {
	text := filepath.Join(t.TempDir(), "page.tgz")
	if err := os.WriteFile(text, []byte("<html>not found</html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(goodPackage(t))
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.tgz")
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		want       []string
	}{
		{"absent", "/absent.tgz", []string{"/absent.tgz"}},
		{"not gzip", text, []string{text, "npm pack fake-node@1.2.3"}},
		{"cut", cut, []string{cut}},
		{"without the library", writePackage(t, [2]string{"package/README.md", "x"}),
			[]string{"holds no bin/x64/libonnxruntime.so.1", "npm pack"}},
		{"changed", writePackage(t, [2]string{"package/bin/x64/libonnxruntime.so.1", "evil"}),
			[]string{"has sha256 ", "want ", "damaged or not the published one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := testInstaller(t, io.Discard)
			wantError(t, i.install(t.Context(), c.path), c.want...)
			if exists(i.target) {
				t.Error("the target exists")
			}
		})
	}
}

func TestInstallRefuses(t *testing.T) {
	t.Run("no npm", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		wantError(t, testInstaller(t, io.Discard).install(t.Context(), ""), "npm is not installed", "install npm", EnvTarball,
			EnvLibrary)
	})
	t.Run("no network", func(t *testing.T) {
		fakeNPM(t, "echo 'npm error code ENOTFOUND' >&2; exit 1")
		i := testInstaller(t, io.Discard)
		wantError(t, i.install(t.Context(), ""), "npm pack fake-node@1.2.3: exit status 1: npm error code ENOTFOUND",
			"check the network", EnvTarball)
		if all := entries(filepath.Dir(i.target), "*"); len(all) != 1 {
			t.Errorf("left behind: %v", all)
		}
	})
	t.Run("no package", func(t *testing.T) {
		fakeNPM(t, "true")
		wantError(t, testInstaller(t, io.Discard).install(t.Context(), ""), "left 0 packages")
	})
	t.Run("cancelled", func(t *testing.T) {
		fakeNPM(t, "exec sleep 60")
		ctx, cancel := context.WithCancel(t.Context())
		i := testInstaller(t, cancelWriter(cancel))
		if err := i.install(ctx, ""); !errors.Is(err, context.Canceled) ||
			strings.Contains(err.Error(), "check the network") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("other platform", func(t *testing.T) {
		i := testInstaller(t, io.Discard)
		i.platform = "plan9/386"
		wantError(t, i.install(t.Context(), ""), "no library for plan9/386", EnvLibrary)
	})
}

// cancelWriter calls itself when the first line is logged, which is when npm is about to start.
type cancelWriter context.CancelFunc

func (c cancelWriter) Write(p []byte) (int, error) { c(); return len(p), nil }

func TestSetup(t *testing.T) {
	real, err := Find()
	if err != nil {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	calls := fakeNPM(t, "exit 1")
	var log bytes.Buffer
	if path, err := Setup(t.Context(), &log); err != nil || path != real.Path ||
		!strings.Contains(log.String(), real.Path) {
		t.Errorf("with a library there: %s, %v\n%s", path, err, log.String())
	}
	t.Setenv(EnvLibrary, "/absent.so")
	_, err = Setup(t.Context(), io.Discard)
	wantError(t, err, EnvLibrary+"=/absent.so: no such file")
	if exists(calls) {
		t.Error("npm was called")
	}
}

// The published package gives a library of the release's version. The package is the one that
// $OVBENCH_ONNXRUNTIME_TARBALL names, or in `make parity` what npm fetches.
func TestInstallPublished(t *testing.T) {
	tarball := os.Getenv(EnvTarball)
	if tarball == "" && os.Getenv("OVBENCH_PARITY") != "1" {
		t.Skipf("set %s to what `npm pack %s` gives", EnvTarball, current.pack)
	}
	if _, ok := current.builds[runtime.GOOS+"/"+runtime.GOARCH]; !ok {
		t.Skip("no build for this platform")
	}
	t.Setenv(EnvCache, t.TempDir())
	path, err := Install(t.Context(), tarball, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c := thisMachine(CPU).inspect(path, ""); c.Err != nil || c.Version != current.version {
		t.Errorf("%+v", c)
	}
	for platform, b := range current.builds { // all platforms' members are in the package
		i := installer{release: current, platform: platform, target: filepath.Join(t.TempDir(), "x", "lib"), log: io.Discard}
		if tarball != "" {
			if err := i.install(t.Context(), tarball); err != nil {
				t.Errorf("%s: %s: %v", platform, b.member, err)
			}
		}
	}
}
