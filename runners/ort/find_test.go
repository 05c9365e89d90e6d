package ort

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeLibrary compiles a shared library that tells its version as ONNX Runtime does and can do nothing.
// No version leaves out the version table.
func fakeLibrary(t *testing.T, path, version string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("makes ELF files, on Linux")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"-shared", "-x", "c", "-", "-o", path}
	if version != "" {
		script := filepath.Join(t.TempDir(), "versions")
		if err := os.WriteFile(script, fmt.Appendf(nil, "VERS_%s { global: OrtNothing; local: *; };\n", version),
			0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-Wl,--version-script="+script)
	}
	cmd := exec.Command("gcc", args...)
	cmd.Stdin = strings.NewReader("int OrtNothing(void) { return 0; }")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc, which cgo needs too: %v\n%s", err, out)
	}
	return path
}

// fakeMachine has its folders below a temporary one, and nothing in them.
func fakeMachine(t *testing.T) (m machine, env map[string]string, root string) {
	root = t.TempDir()
	env = map[string]string{}
	return machine{
		goos: "linux", goarch: runtime.GOARCH,
		getenv: func(k string) string { return env[k] },
		home:   filepath.Join(root, "home"),
		cache:  filepath.Join(root, "cache"),
		system: []string{filepath.Join(root, "usr/lib")},
		linker: func() []string { return nil },
	}, env, root
}

func TestCandidates(t *testing.T) {
	m, env, root := fakeMachine(t)
	at := func(path string) string { return filepath.Join(root, path) }
	env["VIRTUAL_ENV"] = at("venv")
	env["CONDA_PREFIX"] = at("conda")
	env["LD_LIBRARY_PATH"] = at("ld") + string(os.PathListSeparator) + at("absent")
	m.linker = func() []string { return []string{at("usr/lib/libonnxruntime.so"), at("opt/libonnxruntime.so.1")} }

	cached := fakeLibrary(t, current.path(m.cache, m.goos, m.goarch), current.version)
	fakeLibrary(t, at("venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.20.1"), "1.20.1")
	fakeLibrary(t, at("conda/lib/python3.13/site-packages/onnxruntime/capi/libonnxruntime.so.1.32.0"), "1.32.0")
	fakeLibrary(t, at("home/.local/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.24.0"), "1.24.0")
	fakeLibrary(t, at("ld/libonnxruntime.so.1.28.0"), "") // the name must do
	fakeLibrary(t, at("usr/lib/python3/dist-packages/onnxruntime/capi/libonnxruntime.so.1.30.0"), "1.30.0")
	fakeLibrary(t, at("usr/lib/libonnxruntime.so.1.9.0"), "1.9.0")
	fakeLibrary(t, at("usr/lib/libonnxruntime.so.1.27.0"), "1.27.0")
	fakeLibrary(t, at("usr/lib/libonnxruntime.so.1.100.0"), "1.100.0")
	fakeLibrary(t, at("opt/libonnxruntime.so.1"), "2.0.0")
	if err := os.Symlink("libonnxruntime.so.1.27.0", at("usr/lib/libonnxruntime.so")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("usr/lib/libonnxruntime.so.sha256"),
		[]byte("d8aff4aa8abee8fb2abb2f2f2459ffc94461e781e41b9f7c072829dd0d470221"), 0o644); err != nil {
		t.Fatal(err)
	}

	var got []string
	for _, c := range m.candidates() {
		rel, _ := filepath.Rel(root, c.Path)
		if i := strings.LastIndex(rel, "/site-packages"); i > 0 {
			rel = rel[:i]
		}
		line := fmt.Sprintf("%s: %s %s", c.Source, rel, c.Version)
		if c.Err != nil {
			line += " " + c.Err.Error()
		}
		got = append(got, line)
	}
	rel, _ := filepath.Rel(root, cached)
	want := []string{
		"own cache: " + rel + " 1.27.0",
		"Python wheel: venv/lib/python3.11 1.20.1 version 1.20.1 is too old: 1.24 or newer is needed",
		"Python wheel: conda/lib/python3.13 1.32.0",
		"Python wheel: home/.local/lib/python3.12 1.24.0",
		"Python wheel: usr/lib/python3/dist-packages/onnxruntime/capi/libonnxruntime.so.1.30.0 1.30.0",
		"system: ld/libonnxruntime.so.1.28.0 1.28.0",
		"system: usr/lib/libonnxruntime.so.1.100.0 1.100.0",
		"system: usr/lib/libonnxruntime.so 1.27.0", // and not once more as .so.1.27.0 or from the linker
		"system: usr/lib/libonnxruntime.so.1.9.0 1.9.0 version 1.9.0 is too old: 1.24 or newer is needed",
		"system: usr/lib/libonnxruntime.so.sha256  not a shared library: bad magic number '[100 56 97 102]' in record at " +
			"byte 0x0",
		"system: opt/libonnxruntime.so.1 2.0.0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("candidates (-want +got)\n%s", d)
	}

	if c, err := m.find(); err != nil || c.Path != cached {
		t.Errorf("find: %v, %v", c.Path, err)
	}
	env[EnvLibrary] = at("conda/lib/python3.13/site-packages/onnxruntime/capi") // a folder
	if c, err := m.find(); err != nil || c.Version != "1.32.0" || c.Source != EnvLibrary {
		t.Errorf("find with the variable: %+v, %v", c, err)
	}
	env[EnvLibrary] = at("opt/libonnxruntime.so.1") // a file
	if c, err := m.find(); err != nil || c.Version != "2.0.0" {
		t.Errorf("find with the variable: %+v, %v", c, err)
	}
}

// What the variable names is used or is an error: never another library in its place.
func TestFindHonoursVariable(t *testing.T) {
	m, env, root := fakeMachine(t)
	fakeLibrary(t, current.path(m.cache, m.goos, m.goarch), current.version)
	foreign := fakeLibrary(t, filepath.Join(root, "foreign.so"), "1.27.0")
	b, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	b[18], b[19] = 22, 0 // e_machine: EM_S390
	if err := os.WriteFile(foreign, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, why := range map[string]string{
		filepath.Join(root, "absent.so"): "no such file",
		root:                             "holds no libonnxruntime",
		fakeLibrary(t, filepath.Join(root, "old.so"), "1.23.9"): "version 1.23.9 is too old",
		foreign: "not a shared library for " + runtime.GOARCH,
	} {
		env[EnvLibrary] = path
		_, err := m.find()
		wantError(t, err, EnvLibrary+"="+path+": ", why, "unset it or name")
	}
}

func TestFindNothing(t *testing.T) {
	m, env, root := fakeMachine(t)
	_, err := m.find()
	wantError(t, err, "no ONNX Runtime library on this machine", "`ovbench setup`", "`make setup`", EnvLibrary)
	env["VIRTUAL_ENV"] = filepath.Join(root, "venv")
	old := fakeLibrary(t,
		filepath.Join(root, "venv/lib/python3.9/site-packages/onnxruntime/capi/libonnxruntime.so.1.16.0"), "1.16.0")
	_, err = m.find()
	wantError(t, err, "no usable ONNX Runtime library", old, "version 1.16.0 is too old", "`ovbench setup`")
}

func TestCandidatesOnDarwin(t *testing.T) {
	m, _, root := fakeMachine(t)
	m.goos, m.goarch = "darwin", "arm64"
	dir := filepath.Join(root, "usr/lib")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"libonnxruntime.1.27.0.dylib", "libonnxruntime_providers_shared.dylib",
		"libonnxruntime.so"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := []Candidate{{Path: filepath.Join(dir, "libonnxruntime.1.27.0.dylib"), Source: "system", Version: "1.27.0"}}
	if d := cmp.Diff(want, m.candidates()); d != "" {
		t.Error(d)
	}
}

func TestCacheDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	t.Setenv(EnvCache, "")
	if got, err := CacheDir(); runtime.GOOS == "linux" && (err != nil || got != "/xdg/ovbench") {
		t.Errorf("%s, %v", got, err)
	}
	t.Setenv(EnvCache, "/elsewhere")
	if got, err := CacheDir(); err != nil || got != "/elsewhere" {
		t.Errorf("%s, %v", got, err)
	}
}

// The C API number that the wrapper asks for is the minor version of the oldest library that has it.
func TestMinimumVersion(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yalue/onnxruntime_go").Output()
	if err != nil {
		t.Fatal(err)
	}
	header, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "onnxruntime_c_api.h"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`#define ORT_API_VERSION (\d+)`).FindSubmatch(header)
	if m == nil || string(m[1]) != fmt.Sprint(minMinor) {
		t.Errorf("wrapper asks for %q, minMinor is %d", m, minMinor)
	}
}

func TestMinor(t *testing.T) {
	for version, want := range map[string]int{"1.27.0": 27, "1.9": 9, "2.0.0": 1_000_000, "": -1, "1": -1, "x.y": -1,
		"0.5.0": -1} {
		if got := minor(version); got != want {
			t.Errorf("minor(%q) = %d, want %d", version, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	l := library(t)
	c := thisMachine(CPU).inspect(l.Path, "")
	if c.Err != nil || (c.Version != "" && c.Version != l.Version) {
		t.Errorf("the file says %q, the library %q (%v)", c.Version, l.Version, c.Err)
	}
	link := filepath.Join(t.TempDir(), "link.so")
	if err := os.Symlink(l.Path, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", l.Path, link} {
		if again, err := Load(path); err != nil || again != l {
			t.Errorf("Load(%q) = %p, %v, want %p", path, again, err, l)
		}
	}
	_, err := Load("/another.so")
	wantError(t, err, "/another.so: this process has loaded "+l.Path)

	sum, err := l.SHA256()
	if b, ok := current.builds[runtime.GOOS+"/"+runtime.GOARCH]; ok && l.Source == "own cache" &&
		(err != nil || sum != b.sha256) {
		t.Errorf("sha256 %s, %v, want %s", sum, err, b.sha256)
	}
	if len(sum) != 64 {
		t.Errorf("sha256 %q", sum)
	}
}

// A process that failed to load one library can load another.
func TestLoadRefuses(t *testing.T) {
	if os.Getenv("ORT_TEST_CHILD") == "1" {
		for path, why := range map[string]string{
			os.Getenv("ORT_TEST_OLD"):   "version 1.20.0 is too old",
			os.Getenv("ORT_TEST_EMPTY"): "cannot be loaded",
			"/absent.so":                "no such file",
		} {
			_, err := Load(path)
			wantError(t, err, path+": ", why, "`ovbench setup`")
		}
		if _, err := Load(""); err != nil {
			t.Error(err)
		}
		return
	}
	library(t)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLoadRefuses$", "-test.v")
	cmd.Env = append(os.Environ(), "ORT_TEST_CHILD=1",
		"ORT_TEST_OLD="+fakeLibrary(t, filepath.Join(dir, "old.so"), "1.20.0"),
		"ORT_TEST_EMPTY="+fakeLibrary(t, filepath.Join(dir, "empty.so"), "1.27.0"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestLoadRefuses") {
		t.Errorf("%v\n%s", err, out)
	}
}
