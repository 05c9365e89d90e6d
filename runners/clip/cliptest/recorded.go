package cliptest

import (
	"os"
	"path/filepath"
	"testing"
)

// Recorded is a file or folder of the reference data that OVBENCH_SHARED names, or that lies in shared beside the
// repository. Without it the test is skipped, or fails if OVBENCH_PARITY is 1.
func Recorded(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("OVBENCH_SHARED")
	if root == "" {
		root = filepath.Join(repository(t), "..", "shared")
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatalf("%v; set OVBENCH_SHARED", err)
		}
		t.Skipf("no recorded reference data: set OVBENCH_SHARED (%v)", err)
	}
	return path
}

// repository is the nearest folder above the test's own that holds go.mod.
func repository(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
