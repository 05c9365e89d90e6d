package datasets

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared is the folder of real sample files; the test skips without it. It is exported for the tests of package
// datasets_test.
func Shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("OVBENCH_SHARED")
	if dir == "" {
		dir = filepath.FromSlash("../../shared")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatalf("real samples are missing: set OVBENCH_SHARED (%v)", err)
		}
		t.Skip("real samples are missing: set OVBENCH_SHARED to their folder")
	}
	return dir
}
