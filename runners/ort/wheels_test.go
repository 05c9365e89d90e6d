package ort

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// testBundle is of two wheels; the members hold what their names say.
func testBundle() bundle {
	member := func(path string) build {
		sum := sha256.Sum256([]byte(filepath.Base(path)))
		return build{path, hex.EncodeToString(sum[:])}
	}
	return bundle{OpenVINO, "1.2.3", "linux/amd64", []wheel{
		{"fake-runtime", "1.2.3", []string{"--abi", "cp00"}, []build{member("fake/capi/libonnxruntime.so.1.2.3"),
			member("fake/capi/" + OpenVINO.file())}},
		{"fake-kernels", "7.0", nil, []build{member("kernels/lib/libkernels.so.7")}},
	}}
}

// writeWheel writes a wheel of members, each with what its name says, except those that contents names.
func writeWheel(t *testing.T, dir string, w wheel, contents map[string]string) string {
	t.Helper()
	path := filepath.Join(dir, strings.Replace(w.pattern(), "*", "cp00-any", 1))
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, m := range w.members {
		text, ok := contents[m.member]
		if !ok {
			text = filepath.Base(m.member)
		}
		if text == "absent" {
			continue
		}
		out, err := z.Create(m.member)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(out, text)
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func wheelsOf(t *testing.T, b bundle, contents map[string]string) (dir string) {
	dir = t.TempDir()
	for _, w := range b.wheels {
		writeWheel(t, dir, w, contents)
	}
	return dir
}

// fakePIP puts a program named pip3 first on the PATH that copies wheels of a folder, and notes its arguments.
func fakePIP(t *testing.T, script string) (calls string) {
	dir := t.TempDir()
	calls = filepath.Join(dir, "calls")
	text := "#!/bin/sh\necho \"$@\" >> '" + calls + "'\ndest=$5\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "pip3"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return calls
}

func TestInstallBundle(t *testing.T) {
	b := testBundle()
	wheels := wheelsOf(t, b, nil)
	calls := fakePIP(t, `case "$6" in fake-runtime==1.2.3) cp '`+wheels+`'/fake_runtime* "$dest";; fake-kernels==7.0) cp '`+wheels+`'/fake_kernels* "$dest";; *) exit 3;; esac`)
	for name, from := range map[string]string{"pip": "", "folder": wheels} {
		cache := t.TempDir()
		for range 2 { // the second time all is there
			if err := b.install(t.Context(), cache, from, io.Discard); err != nil {
				t.Fatal(name, err)
			}
		}
		var got []string
		for _, path := range entries(b.dir(cache), "*") {
			got = append(got, filepath.Base(path))
			if text, err := os.ReadFile(path); err != nil || string(text) != filepath.Base(path) &&
				filepath.Base(path) != "lock" {
				t.Errorf("%s: %q, %v", path, text, err)
			}
		}
		if want := "libkernels.so.7 libonnxruntime.so.1.2.3 libonnxruntime_providers_openvino.so lock"; strings.Join(got,
			" ") != want {
			t.Errorf("%s: the folder holds %v", name, got)
		}
		damaged := filepath.Join(b.dir(cache), "libkernels.so.7")
		if err := os.WriteFile(damaged, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := b.install(t.Context(), cache, from, io.Discard); err != nil {
			t.Error(err)
		}
		if text, _ := os.ReadFile(damaged); string(text) != "libkernels.so.7" {
			t.Errorf("%s: a damaged file stayed", name)
		}
	}
	said, err := os.ReadFile(calls)
	if lines := strings.Split(strings.TrimSpace(string(said)), "\n"); err != nil || len(lines) != 3 ||
		!strings.Contains(lines[0], "fake-runtime==1.2.3 --abi cp00") {
		t.Errorf("pip was called with\n%s", said)
	}
}

func TestInstallBundleRefuses(t *testing.T) {
	b := testBundle()
	lib := b.wheels[0].members[0].member
	page := filepath.Join(t.TempDir(), "page.whl")
	if err := os.WriteFile(page, []byte("<html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	pipes := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(pipes, "fake_runtime-1.2.3-any.whl"), 0o600); err != nil {
		t.Skip(err)
	}
	for name, c := range map[string]struct {
		from string
		want []string
	}{
		"a pipe":        {pipes, []string{"fake_runtime-1.2.3-any.whl: not a regular file"}},
		"nothing there": {filepath.Join(t.TempDir(), "absent"), []string{"absent"}},
		"empty folder":  {t.TempDir(), []string{"holds no fake_runtime-1.2.3-*.whl", "pip download"}},
		"no archive":    {page, []string{"it should be the wheel fake_runtime-1.2.3"}},
		"no member":     {wheelsOf(t, b, map[string]string{lib: "absent"}), []string{"holds no " + lib}},
		"changed": {wheelsOf(t, b, map[string]string{lib: "evil"}), []string{lib + " has sha256",
			"damaged or not the published one"}},
	} {
		cache := t.TempDir()
		wantError(t, b.install(t.Context(), cache, c.from, io.Discard), c.want...)
		if exists(b.library(cache)) {
			t.Errorf("%s: the library exists", name)
		}
	}
	fakePIP(t, "echo 'no matching distribution' >&2; exit 1")
	wantError(t, b.install(t.Context(), t.TempDir(), "", io.Discard),
		"pip download fake-runtime==1.2.3: exit status 1: no matching distribution", "--from DIR")
	fakePIP(t, "true")
	wantError(t, b.install(t.Context(), t.TempDir(), "", io.Discard), "left 0 files")
	t.Setenv("PATH", t.TempDir())
	wantError(t, b.install(t.Context(), t.TempDir(), "", io.Discard), "pip is not installed", "--from DIR")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.install(ctx, t.TempDir(), wheelsOf(t, b, nil), io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A library serves a device if the device's kernels lie beside it.
func TestFindForDevice(t *testing.T) {
	m, env, root := fakeMachine(t)
	m.provider, m.goarch = OpenVINO, "amd64"
	_, err := m.find()
	wantError(t, err, "no ONNX Runtime library for device openvino", "`ovbench setup --device openvino`")
	plain := fakeLibrary(t, filepath.Join(root, "usr/lib/libonnxruntime.so.1.27.0"), "1.27.0")
	_, err = m.find()
	wantError(t, err, plain, "has no provider for device openvino", "`ovbench setup --device openvino`")
	env["VIRTUAL_ENV"] = filepath.Join(root, "venv")
	capi := filepath.Join(root, "venv/lib/python3.11/site-packages/onnxruntime/capi")
	wheel := fakeLibrary(t, filepath.Join(capi, "libonnxruntime.so.1.24.1"), "1.24.1")
	fakeLibrary(t, filepath.Join(capi, OpenVINO.file()), "")
	if c, err := m.find(); err != nil || c.Path != wheel {
		t.Errorf("%+v, %v", c, err)
	}
	cached := fakeLibrary(t, openvinoBundle.library(m.cache), "1.24.1")
	fakeLibrary(t, filepath.Join(filepath.Dir(cached), OpenVINO.file()), "")
	if c, err := m.find(); err != nil || c.Path != cached || c.Source != "own cache" {
		t.Errorf("%+v, %v", c, err)
	}
	env[EnvLibrary] = plain
	_, err = m.find()
	wantError(t, err, EnvLibrary+"="+plain, "there is no "+filepath.Join(root, "usr/lib", OpenVINO.file()))
}

// A library without OpenVINO says so, and what to do.
func TestOpenVINOWantsItsLibrary(t *testing.T) {
	l := library(t)
	if exists(filepath.Join(filepath.Dir(l.Path), OpenVINO.file())) {
		t.Skip("the library here has OpenVINO")
	}
	_, err := l.NewSession("sum", sum().model(), Options{Device: Device{Provider: OpenVINO}})
	wantError(t, err, "sum: session options: device openvino: ", "`ovbench setup --device openvino`")
	_, err = LoadFor("", OpenVINO)
	wantError(t, err, "which this process has loaded already", "has no provider for device openvino")
}
