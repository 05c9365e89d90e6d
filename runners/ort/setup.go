package ort

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"ovbench/runners/files"
)

// EnvTarball is the environment variable that names a downloaded package, for machines without network.
const EnvTarball = "OVBENCH_ONNXRUNTIME_TARBALL"

// release is a version of the library and the npm package that carries it.
type release struct {
	version string
	pack    string // what npm is asked for, name@version
	builds  map[string]build
}

type build struct {
	member string // path in the package
	sha256 string
}

// current is the release that Setup installs. The checksums are of the files in onnxruntime-node 1.27.0
// on the npm registry; the package has no build for macOS on Intel.
var current = release{
	version: "1.27.0",
	pack:    "onnxruntime-node@1.27.0",
	builds: map[string]build{
		"linux/amd64": {"bin/napi-v6/linux/x64/libonnxruntime.so.1",
			"d8aff4aa8abee8fb2abb2f2f2459ffc94461e781e41b9f7c072829dd0d470221"},
		"linux/arm64": {"bin/napi-v6/linux/arm64/libonnxruntime.so.1",
			"c36bc200e7e6c093b8abb0b34590fbdd8c52fd3fb5e33795b9523ffdde2fce0f"},
		"darwin/arm64": {"bin/napi-v6/darwin/arm64/libonnxruntime.1.27.0.dylib",
			"89f692a3a1a224e4ad0b796b0e7c0bd81113b0741bfe84211eceef14d05a9e59"},
	},
}

const (
	maxLibrary = 768 << 20 // bytes of a library
	maxPackage = 2 << 30   // bytes of the unpacked package
)

// path is where the library of this release lies in the cache.
func (r release) path(cache, goos, goarch string) string {
	name := "libonnxruntime.so." + r.version
	if goos == "darwin" {
		name = "libonnxruntime." + r.version + ".dylib"
	}
	return filepath.Join(cache, "onnxruntime", r.version+"-"+goos+"-"+goarch, name)
}

// Setup makes sure that there is a library and returns its path: the one that [Find] finds, or else it
// does what [Install] does, with the package $OVBENCH_ONNXRUNTIME_TARBALL names if it is set. Lines about
// progress go to log.
func Setup(ctx context.Context, log io.Writer) (string, error) {
	c, err := Find()
	if err == nil {
		fmt.Fprintf(log, "onnxruntime: %s is there (%s, version %s)\n", c.Path, c.Source, cmp.Or(c.Version, "unknown"))
		return c.Path, nil
	}
	if os.Getenv(EnvLibrary) != "" {
		return "", err // what the user asked for, and not another
	}
	return Install(ctx, os.Getenv(EnvTarball), log)
}

// Install puts the library into the own cache and returns its path. The package is the tarball, or if
// that is empty what npm fetches with the user's configuration. If the library is there and its
// checksum holds, nothing is fetched. Processes that install at the same time wait for the first.
func Install(ctx context.Context, tarball string, log io.Writer) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	i := installer{release: current, platform: runtime.GOOS + "/" + runtime.GOARCH, target: current.path(cache,
		runtime.GOOS, runtime.GOARCH), log: log}
	return i.target, i.install(ctx, tarball)
}

// installer installs one build of a release.
type installer struct {
	release
	platform string
	target   string
	log      io.Writer
}

func (i installer) say(format string, args ...any) {
	fmt.Fprintf(i.log, "onnxruntime: "+format+"\n", args...)
}

func (i installer) install(ctx context.Context, tarball string) error {
	b, ok := i.builds[i.platform]
	if !ok {
		return fmt.Errorf("%s has no library for %s; install ONNX Runtime 1.%d or newer by other means (a Python wheel "+
			"carries it) and set %s", i.pack, i.platform, minMinor, EnvLibrary)
	}
	dir := filepath.Dir(i.target)
	unlock, err := lockFolder(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	if sum, err := fileSum(i.target); err == nil && sum == b.sha256 {
		i.say("%s is there", i.target)
		return nil
	}
	if tarball == "" {
		tmp, err := os.MkdirTemp(dir, "fetch-*")
		if err != nil {
			return fmt.Errorf("%w; set %s to a folder that can be written", err, EnvCache)
		}
		defer os.RemoveAll(tmp)
		if tarball, err = i.fetch(ctx, tmp); err != nil {
			return err
		}
	}
	if err := i.extract(ctx, tarball, b); err != nil {
		return err
	}
	i.say("version %s, checksum verified, is now %s", i.version, i.target)
	return nil
}

// fetch has npm put the package into dir and returns its path. npm is the fetcher because it knows the
// user's registry, proxy and credentials.
func (i installer) fetch(ctx context.Context, dir string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("npm is not installed, and the ONNX Runtime library is fetched with it; install npm "+
			"(Node.js), or set %s to the package %s from elsewhere, or set %s to a libonnxruntime of version 1.%d or newer",
			EnvTarball, i.pack, EnvLibrary, minMinor)
	}
	i.say("fetching %s with npm", i.pack)
	cmd := exec.CommandContext(ctx, npm, "pack", i.pack, "--pack-destination", dir, "--ignore-scripts", "--loglevel",
		"error")
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	start := time.Now()
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("npm pack %s: %w", i.pack, ctx.Err())
		}
		return "", fmt.Errorf("npm pack %s: %w: %s; check the network and npm's configuration (npm config list), or bring "+
			"the package from elsewhere and set %s to it", i.pack, err, tail(said.String(), 400), EnvTarball)
	}
	packages := entries(dir, "*.tgz")
	if len(packages) != 1 {
		return "", fmt.Errorf("npm pack %s left %d packages in %s, not one; run it by hand and set %s to the .tgz", i.pack,
			len(packages), dir, EnvTarball)
	}
	if info, err := os.Stat(packages[0]); err == nil {
		i.say("%d MB in %v", info.Size()/1e6, time.Since(start).Round(100*time.Millisecond))
	}
	return packages[0], nil
}

// extract writes the build's member of the package to the target, which appears complete and with the
// right checksum or not at all.
func (i installer) extract(ctx context.Context, tarball string, b build) error {
	f, err := files.Open(tarball)
	if err != nil {
		return fmt.Errorf("package of %s: %w", i.pack, err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w; it should be the .tgz that `npm pack %s` gives", tarball, err, i.pack)
	}
	t := tar.NewReader(io.LimitReader(contextReader{ctx, z}, maxPackage))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: holds no %s; it should be the .tgz that `npm pack %s` gives", tarball, b.member, i.pack)
		}
		if err != nil {
			return fmt.Errorf("%s: %w; it should be the .tgz that `npm pack %s` gives", tarball, err, i.pack)
		}
		_, name, _ := strings.Cut(path.Clean(h.Name), "/") // below package/
		if name == b.member && h.Typeflag == tar.TypeReg {
			break
		}
	}
	if err := writeMember(i.target, t, b); err != nil {
		return fmt.Errorf("%s: %w: fetch it again (npm cache verify)", tarball, err)
	}
	return nil
}

// lockFolder makes a folder of the cache and waits until it is ours. What processes that were killed left there goes.
func lockFolder(ctx context.Context, dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("%w; set %s to a folder that can be written", err, EnvCache)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return nil, fmt.Errorf("%s: lock: %w", lock.Path(), err)
	}
	for _, old := range entries(dir, "fetch-*") {
		os.RemoveAll(old)
	}
	return lock.Close, nil
}

// writeMember writes a member of a package to target, which appears complete and with the right checksum or not at all.
func writeMember(target string, from io.Reader, b build) error {
	out, err := renameio.NewPendingFile(target, renameio.WithPermissions(0o644),
		renameio.WithTempDir(filepath.Dir(target)))
	if err != nil {
		return fmt.Errorf("%w; set %s to a folder that can be written", err, EnvCache)
	}
	defer out.Cleanup()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(from, maxLibrary+1))
	if err != nil {
		return fmt.Errorf("%s: %w", b.member, err)
	}
	if n > maxLibrary {
		return fmt.Errorf("%s is larger than %d bytes", b.member, maxLibrary)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != b.sha256 {
		return fmt.Errorf("%s has sha256 %s, want %s; the package is damaged or not the published one", b.member, got,
			b.sha256)
	}
	return out.CloseAtomicallyReplace()
}

// contextReader ends with the context's error when that is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// tail is the last n bytes of what a program said, on one line.
func tail(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > n {
		s = "... " + strings.ToValidUTF8(s[len(s)-n:], "")
	}
	return s
}
