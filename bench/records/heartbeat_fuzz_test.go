package records

import (
	"os"
	"path/filepath"
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
