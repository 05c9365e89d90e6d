// Package ort answers: how does a graph run, and where does the library that runs it come from?
//
// [Candidates] and [FindFor] look for ONNX Runtime's shared library with the kernels of a [Provider], [SetupFor]
// fetches it where there is none, [LoadFor] loads it, once per process. [Library.NewSession] takes a model as bytes,
// whose weights stay in the files they lie in, and [Session.Run] fills slices that the caller brings.
//
// No other package loads the library or knows the wrapper around it.
package ort

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	onnxruntime "github.com/yalue/onnxruntime_go"
)

// Library is ONNX Runtime, loaded into the process. It comes from [Load], and any goroutine may use it.
type Library struct {
	Path    string // as it was found, symbolic links not followed
	Version string // what the loaded library says of itself, such as 1.27.0
	Source  string // where it was looked for, as in Candidate

	sum func() (string, error)
}

var loaded struct {
	sync.Mutex
	library *Library
}

// Load is [LoadFor] the CPU.
func Load(path string) (*Library, error) { return LoadFor(path, CPU) }

// LoadFor loads the shared library at path, or the one that [FindFor] finds for a provider if path is empty. A process
// has one library: a second call returns it again, and fails if path is another file or the provider is not beside it.
// It is never unloaded. Sessions on the CPU run with every library.
func LoadFor(path string, p Provider) (*Library, error) {
	if int(p) >= len(providers) {
		return nil, fmt.Errorf("no device has the number %d", p)
	}
	loaded.Lock()
	defer loaded.Unlock()
	if l := loaded.library; l != nil {
		if path != "" && !sameFile(path, l.Path) {
			return nil, fmt.Errorf("%s: this process has loaded %s already, and one process uses one library", path, l.Path)
		}
		if c := thisMachine(p).inspect(l.Path, l.Source); p != CPU && c.Err != nil {
			return nil, fmt.Errorf("%s, which this process has loaded already, %w", l.Path, c.Err)
		}
		return l, nil
	}
	c := Candidate{Path: path, Source: "argument"}
	if path == "" {
		var err error
		if c, err = FindFor(p); err != nil {
			return nil, err
		}
	} else if c = thisMachine(p).inspect(c.Path, c.Source); c.Err != nil {
		return nil, fmt.Errorf("%s: %w; %s", c.Path, c.Err, remedy(p))
	}
	onnxruntime.SetSharedLibraryPath(c.Path)
	if err := onnxruntime.InitializeEnvironment(onnxruntime.WithLogLevelFatal()); err != nil {
		return nil, fmt.Errorf("%s: cannot be loaded: %w; %s", c.Path, cause(err), remedy(p))
	}
	loaded.library = &Library{
		Path: c.Path, Version: onnxruntime.GetVersion(), Source: c.Source,
		sum: sync.OnceValues(func() (string, error) { return fileSum(c.Path) }),
	}
	return loaded.library, nil
}

// SHA256 is the checksum of the library's file in hexadecimal, computed at the first call.
func (l *Library) SHA256() (string, error) { return l.sum() }

// cause is what the runtime says, without the wrapper's words around it.
func cause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
