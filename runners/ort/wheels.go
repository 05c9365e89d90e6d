package ort

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"ovbench/runners/files"
)

// bundle is ONNX Runtime with the kernels of a device, gathered from wheels of the Python package index. No Python runs
// them: a wheel is an archive, and what is taken out of it are shared libraries.
type bundle struct {
	provider Provider
	version  string // of ONNX Runtime
	platform string
	wheels   []wheel
}

// wheel is a package and the files that are wanted of it, each with its checksum: mirrors may pack wheels anew.
type wheel struct {
	name, version string
	tags          []string // how pip is told which of a version's wheels it is
	members       []build
}

var bundles = []bundle{openvinoBundle, cudaBundle}

var openvinoBundle = bundle{OpenVINO, "1.24.1", "linux/amd64", []wheel{{
	"onnxruntime-openvino", "1.24.1", []string{"--python-version", "3.11", "--implementation", "cp", "--abi", "cp311",
		"--platform", "manylinux_2_28_x86_64"},
	[]build{
		{"onnxruntime/capi/libonnxruntime.so.1.24.1", "2d963a419b96018b79dfe63bb50120ddcb724149912a8a6d8ac747a557c089f4"},
		{"onnxruntime/capi/libonnxruntime_providers_openvino.so",
			"bf0159d2681d76e7de03fbd302a9204e5490f30816bd41826d57acf7a8dff363"},
		{"onnxruntime/capi/libonnxruntime_providers_shared.so",
			"5e02c1ff90e7d71365264dbb6767c00f04a8b57a96cddbc0085c61fa1393250d"},
		{"onnxruntime/capi/libopenvino.so.2541", "ac9634b715a242a61644c77bc38f17508fe73f517e418027e2410f4bee004943"},
		{"onnxruntime/capi/libopenvino_intel_cpu_plugin.so",
			"034df890550ae9199fe5f8608c0df8fd0fe355f303bad56bea10bae14c14c3cb"},
		{"onnxruntime/capi/libopenvino_onnx_frontend.so.2541",
			"f426710881d8c1a01d5ed6d7eaa076d923b19983d3ab3a18bb19d25dba7d8923"},
		{"onnxruntime/capi/libtbb.so.12", "6781dc6aa8b2ca237d0164258e70266a44667756c02a9a039782ec1d1a67b653"},
	},
}}}

// cudaBundle is the release of ONNX Runtime that needs least beside the driver, and has code for every GPU from Turing
// to Blackwell: later ones leave out the B200. NVIDIA's libraries have a licence of their own; they are fetched, never
// passed on.
var cudaBundle = bundle{CUDA, "1.28.0", "linux/amd64", []wheel{
	{"onnxruntime-gpu", "1.28.0", append([]string{"--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"},
		manylinux...), []build{
		{"onnxruntime/capi/libonnxruntime.so.1.28.0", "018d05f615e96f6e0cfb95d2865f63915681d5d2688dd187f599822b245d27bc"},
		{"onnxruntime/capi/libonnxruntime_providers_cuda.so",
			"c5b5b5cff02eb02f9bb73e36bae51328dc5027642778bffc5065c9ab49419389"},
		{"onnxruntime/capi/libonnxruntime_providers_shared.so",
			"086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d"},
	}},
	{"nvidia-cuda-runtime", "13.0.96", manylinux, []build{
		{"nvidia/cu13/lib/libcudart.so.13", "96c42e418cec19054186b9429c321603cc190bf26a18104e19408117a2a817b0"},
	}},
	{"nvidia-cublas", "13.1.0.3", manylinux, []build{
		{"nvidia/cu13/lib/libcublas.so.13", "e70f38efabe986acd5eb683497c62f0f1730a6176ee291d9d24c6e339d1fbf86"},
		{"nvidia/cu13/lib/libcublasLt.so.13", "656298c804f5adbb0df930545c17911b9584ab4e5101c0eeb65d1fe881d880f8"},
	}},
	{"nvidia-curand", "10.4.0.35", manylinux, []build{
		{"nvidia/cu13/lib/libcurand.so.10", "b53732a66b302b11926e00f762e2c2ba67058347ff93cf4ae709de45e93e06da"},
	}},
}}

// manylinux are the platforms that the wheels were built for.
var manylinux = []string{"--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_27_x86_64", "--platform",
	"manylinux2014_x86_64"}

// bundleOf is the bundle of a provider for a platform, or nil.
func bundleOf(p Provider, platform string) *bundle {
	for i, b := range bundles {
		if b.provider == p && b.platform == platform {
			return &bundles[i]
		}
	}
	return nil
}

// dir is where a bundle lies in the cache.
func (b bundle) dir(cache string) string {
	return filepath.Join(cache, "onnxruntime", b.version+"-"+providers[b.provider]+"-"+strings.ReplaceAll(b.platform, "/",
		"-"))
}

func (b bundle) library(cache string) string {
	return filepath.Join(b.dir(cache), "libonnxruntime.so."+b.version)
}

// SetupFor makes sure that there is a library for a provider and returns its path. For the CPU it is [Setup]. For
// another one the files come out of wheels: those that from names, a wheel or a folder of wheels, or else what pip
// downloads with the user's configuration.
func SetupFor(ctx context.Context, p Provider, from string, log io.Writer) (string, error) {
	if p == CPU {
		if from != "" {
			return Install(ctx, from, log)
		}
		return Setup(ctx, log)
	}
	if from == "" {
		if c, err := FindFor(p); err == nil {
			fmt.Fprintf(log, "onnxruntime: %s is there (%s, version %s)\n", c.Path, c.Source, c.Version)
			return c.Path, nil
		} else if os.Getenv(EnvLibrary) != "" {
			return "", err // what the user asked for, and not another
		}
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	b := bundleOf(p, platform)
	if b == nil {
		return "", fmt.Errorf("there are no files for device %s on %s; use --device cpu", providers[p], platform)
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	return b.library(cache), b.install(ctx, cache, from, log)
}

// install puts the files of all wheels into the cache. What is there already and has the right checksum stays.
func (b bundle) install(ctx context.Context, cache, from string, log io.Writer) error {
	dir := b.dir(cache)
	unlock, err := lockFolder(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	for _, w := range b.wheels {
		if w.installed(dir) {
			continue
		}
		if err := w.install(ctx, dir, from, log); err != nil {
			return err
		}
	}
	fmt.Fprintf(log, "onnxruntime: version %s for device %s, checksums verified, is now %s\n", b.version,
		providers[b.provider], b.library(cache))
	return nil
}

func (w wheel) installed(dir string) bool {
	for _, m := range w.members {
		if sum, err := fileSum(filepath.Join(dir, path.Base(m.member))); err != nil || sum != m.sha256 {
			return false
		}
	}
	return true
}

func (w wheel) install(ctx context.Context, dir, from string, log io.Writer) error {
	file, err := w.named(from)
	if err != nil {
		return err
	}
	if file == "" {
		tmp, err := os.MkdirTemp(dir, "fetch-*")
		if err != nil {
			return fmt.Errorf("%w; set %s to a folder that can be written", err, EnvCache)
		}
		defer os.RemoveAll(tmp)
		if file, err = w.fetch(ctx, tmp, log); err != nil {
			return err
		}
	}
	return w.extract(ctx, file, dir)
}

// pattern is what the wheel's file is called.
func (w wheel) pattern() string {
	return strings.ReplaceAll(w.name, "-", "_") + "-" + w.version + "-*.whl"
}

// named is the wheel in what the user names: the file itself, or one of a folder. It is empty if nothing is named.
func (w wheel) named(from string) (string, error) {
	if from == "" {
		return "", nil
	}
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return "", err
	case info.Mode().IsRegular():
		return from, nil
	case !info.IsDir():
		return "", fmt.Errorf("%s: neither a wheel nor a folder of wheels", from)
	}
	found := entries(from, w.pattern())
	if len(found) == 0 {
		return "", fmt.Errorf("%s: holds no %s; fetch it with `%s`", from, w.pattern(),
			strings.Join(append([]string{"pip"}, w.download(from)...), " "))
	}
	return found[0], nil
}

// download is the arguments that have pip put the wheel into dir.
func (w wheel) download(dir string) []string {
	return append([]string{"download", "--no-deps", "--only-binary=:all:", "--dest", dir, w.name + "==" + w.version},
		w.tags...)
}

// fetch has pip put the wheel into dir and returns its path. pip is the fetcher because it knows the user's index,
// proxy and credentials; any version of Python will do.
func (w wheel) fetch(ctx context.Context, dir string, log io.Writer) (string, error) {
	remedy := fmt.Sprintf("bring the wheel from elsewhere and name its folder: ovbench setup --from DIR (%s)", w.pattern())
	pip, err := exec.LookPath("pip3")
	if err != nil {
		if pip, err = exec.LookPath("pip"); err != nil {
			return "", fmt.Errorf("pip is not installed, and %s is fetched with it; install it, or %s", w.name, remedy)
		}
	}
	fmt.Fprintf(log, "onnxruntime: fetching %s %s with pip\n", w.name, w.version)
	cmd := exec.CommandContext(ctx, pip, append(w.download(dir), "--quiet", "--disable-pip-version-check",
		"--no-input")...)
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("pip download %s: %w", w.name, ctx.Err())
		}
		return "", fmt.Errorf("pip download %s==%s: %w: %s; check the network and pip's configuration (pip config list), "+
			"or %s", w.name, w.version, err, tail(said.String(), 400), remedy)
	}
	found := entries(dir, w.pattern())
	if len(found) != 1 {
		return "", fmt.Errorf("pip download left %d files %s in %s, not one; %s", len(found), w.pattern(), dir, remedy)
	}
	return found[0], nil
}

// extract writes the wanted members of a wheel to dir. Each appears complete and with the right checksum or not at all.
func (w wheel) extract(ctx context.Context, file, dir string) error {
	opened, err := files.Open(file)
	if err != nil {
		return err
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(opened, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w; it should be the wheel %s", file, err, w.pattern())
	}
	for _, m := range w.members {
		f, err := z.Open(m.member)
		if err != nil {
			return fmt.Errorf("%s: holds no %s; it should be the wheel %s", file, m.member, w.pattern())
		}
		err = writeMember(filepath.Join(dir, path.Base(m.member)), contextReader{ctx, f}, m)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}
