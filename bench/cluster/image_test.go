package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDockerfile holds what can be seen without a container engine: what is copied from the sources exists, and the
// image starts what the manifests call.
func TestDockerfile(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `ENTRYPOINT ["ovbench"]`) {
		t.Error("the manifests give arguments alone: the image must start ovbench")
	}
	made := map[string]bool{"bin/ovbench": true} // by make setup
	for line := range strings.Lines(string(text)) {
		_, files, ok := strings.Cut(line, "&& cp bin/ovbench ")
		if !ok {
			continue
		}
		for f := range strings.FieldsSeq("bin/ovbench " + strings.SplitN(files, " /image/", 2)[0]) {
			if _, err := os.Stat(filepath.Join(root, f)); err != nil && !made[f] {
				t.Errorf("the image wants %s: %v", f, err)
			}
		}
	}
}
