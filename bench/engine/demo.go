package engine

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ovbench/datasets"
	"ovbench/runners/clip"
	"ovbench/runners/ort"
)

// The folders of what is built in, unpacked into the user's cache.
func demoModel() (string, error)  { return unpack("model", clip.Demo()) }
func microModel() (string, error) { return unpack("micro", clip.Micro()) }
func demoData() (string, error)   { return unpack("data", datasets.Demo()) }

// unpack copies a file system to a folder of the cache named by its content. Where that folder is, it is whole.
func unpack(name string, files fs.FS) (string, error) {
	cache, err := ort.CacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		fmt.Fprintf(h, "%s %d\n", path, len(data))
		h.Write(data)
		return err
	})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "demo", fmt.Sprintf("%s-%x", name, h.Sum(nil)[:6]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "unpack-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	whole := filepath.Join(temp, "whole")
	if err := os.CopyFS(whole, files); err != nil {
		return "", err
	}
	if err := os.Rename(whole, dir); err != nil {
		if _, e := os.Stat(dir); e != nil { // another process may have been first
			return "", err
		}
	}
	return dir, nil
}
