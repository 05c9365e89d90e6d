package ort

import (
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EnvLibrary is the environment variable that names the library to use: a file, or a folder that holds it.
const EnvLibrary = "ONNXRUNTIME_SHARED_LIBRARY_PATH"

// EnvCache is the environment variable that names another folder than ovbench/ in the user's cache.
const EnvCache = "OVBENCH_CACHE"

// minMinor is the oldest ONNX Runtime 1.x that serves the C API number onnxruntime_go asks for. ONNX Runtime numbers
// its C API by its minor version.
//
// Note: the wrapper is v1.27 because later ones ask for more than the last release with OpenVINO has, 1.24. All they
// would add for ovbench is a list of devices.
const minMinor = 24

// remedy is what to do where there is no library for a provider.
func remedy(p Provider) string {
	if p == CPU {
		return fmt.Sprintf("run `ovbench setup` (or `make setup`), or set %s to a libonnxruntime of version 1.%d or newer",
			EnvLibrary, minMinor)
	}
	return fmt.Sprintf("run `ovbench setup --device %s`, or set %s to a libonnxruntime with %s beside it", providers[p],
		EnvLibrary, p.file())
}

// file is the library of kernels that must lie beside libonnxruntime, of providers that have one.
func (p Provider) file() string { return "libonnxruntime_providers_" + providers[p] + ".so" }

// Candidate is a place where the library is or might be. Err says why this one cannot be used, nil if
// nothing speaks against it short of loading it.
type Candidate struct {
	Path    string
	Source  string // which rule looked here: the variable's name, own cache, Python wheel or system
	Version string // empty if the file does not tell
	Err     error
}

// Candidates lists the libraries on this machine for a provider in the order of preference: the file that
// ONNXRUNTIME_SHARED_LIBRARY_PATH names, the own cache, Python wheels, the system. Nothing is loaded.
func Candidates(p Provider) []Candidate { return thisMachine(p).candidates() }

// Find is the library for the CPU, see [FindFor].
func Find() (Candidate, error) { return FindFor(CPU) }

// FindFor is the library to use for a provider: the first of [Candidates] that can be. If the environment variable
// names a library, it is that one or an error.
func FindFor(p Provider) (Candidate, error) { return thisMachine(p).find() }

// machine is where to look, and for a library with which provider.
type machine struct {
	provider     Provider
	goos, goarch string
	getenv       func(string) string
	home, cache  string // empty if unknown
	system       []string
	linker       func() []string // files known to the dynamic linker
}

func thisMachine(p Provider) machine {
	m := machine{provider: p, goos: runtime.GOOS, goarch: runtime.GOARCH, getenv: os.Getenv, linker: linkerCache}
	m.home, _ = os.UserHomeDir()
	m.cache, _ = CacheDir()
	if m.goos == "darwin" {
		m.system = []string{"/opt/homebrew/lib", "/usr/local/lib"}
		return m
	}
	m.system = []string{"/usr/local/lib", "/usr/local/lib64", "/usr/lib", "/usr/lib64"}
	for _, dir := range []string{"/usr/lib", "/usr/local/lib"} {
		m.system = append(m.system, entries(dir, "*-linux-gnu")...)
	}
	return m
}

// CacheDir is the folder where ovbench keeps what it fetches: $OVBENCH_CACHE, or ovbench/ in the user's cache.
func CacheDir() (string, error) {
	if dir := os.Getenv(EnvCache); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: %w; set %s", err, EnvCache)
	}
	return filepath.Join(dir, "ovbench"), nil
}

func (m machine) find() (Candidate, error) {
	all := m.candidates()
	var why []error
	for _, c := range all {
		if c.Err == nil {
			return c, nil
		}
		why = append(why, fmt.Errorf("%s (%s): %w", c.Path, c.Source, c.Err))
		if c.Source == EnvLibrary {
			if m.provider != CPU {
				return Candidate{}, fmt.Errorf("%s=%s: %w; unset it, or name a libonnxruntime with that file beside it", EnvLibrary,
					c.Path, c.Err)
			}
			return Candidate{}, fmt.Errorf("%s=%s: %w; unset it or name a libonnxruntime of version 1.%d or newer", EnvLibrary,
				c.Path, c.Err, minMinor)
		}
	}
	if len(why) > 0 {
		return Candidate{}, fmt.Errorf("no usable ONNX Runtime library among %d: %w; %s", len(why), errors.Join(why...),
			remedy(m.provider))
	}
	if m.provider != CPU {
		return Candidate{}, fmt.Errorf("no ONNX Runtime library for device %s on this machine; %s", providers[m.provider],
			remedy(m.provider))
	}
	return Candidate{}, fmt.Errorf("no ONNX Runtime library on this machine; %s", remedy(CPU))
}

func (m machine) candidates() []Candidate {
	var all []Candidate
	seen := map[string]bool{}
	add := func(source string, paths ...string) {
		var here []Candidate
		for _, p := range paths {
			real, err := filepath.EvalSymlinks(p)
			if err != nil {
				real = p
			}
			if !seen[real] {
				seen[real] = true
				here = append(here, m.inspect(p, source))
			}
		}
		slices.SortStableFunc(here, func(a, b Candidate) int { return cmp.Compare(minor(b.Version), minor(a.Version)) })
		all = append(all, here...)
	}
	if p := m.getenv(EnvLibrary); p != "" {
		if libs := m.libraries(p); len(libs) > 0 {
			add(EnvLibrary, libs...)
		} else {
			add(EnvLibrary, p)
		}
	}
	if m.cache != "" {
		p := current.path(m.cache, m.goos, m.goarch)
		if b := bundleOf(m.provider, m.goos+"/"+m.goarch); b != nil {
			p = b.library(m.cache)
		}
		if exists(p) {
			add("own cache", p)
		}
	}
	for _, dir := range m.wheels() {
		add("Python wheel", m.libraries(dir)...)
	}
	for _, dir := range append(filepath.SplitList(m.getenv("LD_LIBRARY_PATH")), m.system...) {
		add("system", m.libraries(dir)...)
	}
	add("system", m.linker()...)
	return all
}

// wheels are the folders in which Python packages of the user and of the machine keep the library.
func (m machine) wheels() []string {
	var roots []string
	for _, v := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := m.getenv(v); dir != "" {
			roots = append(roots, filepath.Join(dir, "lib"))
		}
	}
	if m.home != "" {
		roots = append(roots, filepath.Join(m.home, ".local", "lib"))
	}
	roots = append(roots, m.system...)
	var out []string
	for _, root := range roots {
		for _, python := range entries(root, "python*") {
			for _, packages := range []string{"site-packages", "dist-packages"} {
				out = append(out, filepath.Join(python, packages, "onnxruntime", "capi"))
			}
		}
	}
	return out
}

// libraries are the files in dir that are named like the library.
func (m machine) libraries(dir string) []string {
	if m.goos == "darwin" {
		return append(entries(dir, "libonnxruntime.dylib"), entries(dir, "libonnxruntime.[0-9]*.dylib")...)
	}
	return entries(dir, "libonnxruntime.so*")
}

// entries are the paths in dir whose last element matches pattern, sorted. A folder that cannot be read has none.
func entries(dir, pattern string) []string {
	list, _ := os.ReadDir(dir)
	var out []string
	for _, e := range list {
		if ok, _ := filepath.Match(pattern, e.Name()); ok {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// linkerCache is what ldconfig knows under the library's name.
func linkerCache() []string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ldconfig, err := exec.LookPath("ldconfig")
	if err != nil {
		ldconfig = "/sbin/ldconfig" // not on every user's PATH
	}
	text, err := exec.CommandContext(ctx, ldconfig, "-p").Output()
	if err != nil {
		return nil // no such linker here: musl, macOS
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		name, path, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if ok && strings.HasPrefix(name, "libonnxruntime.so") {
			out = append(out, path)
		}
	}
	return out
}

var fileVersion = regexp.MustCompile(`libonnxruntime\.(?:so\.)?(\d+\.\d+\.\d+)`)

// inspect looks at the file without loading it: whether it is a library for this machine, and its version.
func (m machine) inspect(path, source string) Candidate {
	c := Candidate{Path: path, Source: source}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Err = errors.New("no such file")
		return c
	case err != nil:
		c.Err = cause(err)
		return c
	case !info.Mode().IsRegular():
		c.Err = errors.New("holds no libonnxruntime")
		return c
	}
	if m.goos == "linux" {
		c.Version, c.Err = elfVersion(path, m.goarch)
	}
	if c.Version == "" {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			real = path
		}
		if f := fileVersion.FindStringSubmatch(filepath.Base(real)); f != nil {
			c.Version = f[1]
		}
	}
	if c.Err == nil && c.Version != "" && minor(c.Version) < minMinor {
		c.Err = fmt.Errorf("version %s is too old: 1.%d or newer is needed", c.Version, minMinor)
	}
	if beside := filepath.Join(filepath.Dir(path), m.provider.file()); c.Err == nil && m.provider != CPU &&
		!exists(beside) {
		c.Err = fmt.Errorf("has no provider for device %s: there is no %s", providers[m.provider], beside)
	}
	return c
}

// elfVersion reads the version from the name of the symbol version that ONNX Runtime's linker script
// gives to OrtGetApiBase: VERS_1.27.0. It is empty in a library built otherwise.
func elfVersion(path, goarch string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("not a shared library: %w", err)
	}
	defer f.Close()
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[goarch]
	if f.Type != elf.ET_DYN || f.Machine != want {
		return "", fmt.Errorf("not a shared library for %s but %v, %v", goarch, f.Type, f.Machine)
	}
	versions, err := f.DynamicVersions()
	if err != nil {
		return "", nil // no version table
	}
	for _, v := range versions {
		if s, ok := strings.CutPrefix(v.Name, "VERS_"); ok {
			return s, nil
		}
	}
	return "", nil
}

// minor is the y of x.y.z, or with a higher major number more than any; -1 if there is none.
func minor(version string) int {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return -1
	}
	x, err1 := strconv.Atoi(parts[0])
	y, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil || x < 1 {
		return -1
	}
	return (x-1)*1_000_000 + y
}
