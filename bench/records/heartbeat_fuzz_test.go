package records

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A heartbeat of anybody is read or refused.
func FuzzReadHeartbeat(f *testing.F) {
	f.Add([]byte(`{"host":"h","pid":1,"updated":"2026-01-02T03:04:05Z","planned":3,"done":-1}`))
	f.Add([]byte(`{"updated":"9999-99-99T00:00:00Z","planned":1e300}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, HeartbeatFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
		h, ok, err := ReadHeartbeat(dir)
		if ok == (err != nil) {
			t.Fatalf("%v, %v, %v", h, ok, err)
		}
		_ = h.String()
	})
}

// A pipe in place of the lock keeps nobody waiting.
func TestLockIsAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, LockFile), 0o666); err != nil {
		t.Skip(err)
	}
	f, err := Open(dir, NewHeader(nil), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, NewHeader(nil), true); err == nil {
		t.Error("two runs have the folder")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
