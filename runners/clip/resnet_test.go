package clip

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a ResNet's checkpoint can get wrong, and what is said about it.
func TestResNetRefusals(t *testing.T) {
	const bn = "visual.layer2.0.bn2."
	for _, c := range []struct {
		name, want string
		change     func(map[string][]int)
		config     string
	}{
		{"as it should be", "<nil>", func(map[string][]int) {}, ""},
		{"no variance", "tensor " + bn + "running_var is missing", func(s map[string][]int) { delete(s, bn+"running_var") },
			""},
		{"wrong mean", "tensor " + bn + "running_mean has shape [3], want [16]",
			func(s map[string][]int) { s[bn+"running_mean"] = []int{3} }, ""},
		{"no block", "block 1 of visual.layer2 is missing", func(s map[string][]int) {
			for name, shape := range s {
				if rest, ok := strings.CutPrefix(name, "visual.layer2.1."); ok {
					delete(s, name)
					s["visual.layer2.2."+rest] = shape
				}
			}
		}, ""},
		{"no stage", "no tensors under visual.layer4", func(s map[string][]int) {
			for name := range s {
				if strings.HasPrefix(name, "visual.layer4.") {
					delete(s, name)
				}
			}
		}, ""},
		{"no short cut", "tensor visual.layer3.0.downsample.0.weight is missing",
			func(s map[string][]int) { delete(s, "visual.layer3.0.downsample.0.weight") }, ""},
		{"a short cut too many", "tensor visual.layer2.1.downsample.0.weight has no place",
			func(s map[string][]int) { s["visual.layer2.1.downsample.0.weight"] = []int{64, 64, 1, 1} }, ""},
		{"wrong kernel", "tensor visual.conv2.weight has shape [4 4 5 5], want [4 4 3 3]",
			func(s map[string][]int) { s["visual.conv2.weight"] = []int{4, 4, 5, 5} }, ""},
		{"no square", "has 6 rows, want 1 + a square number",
			func(s map[string][]int) { s["visual.attnpool.positional_embedding"] = []int{6, 256} }, ""},
		{"wrong channels", "tensor visual.attnpool.positional_embedding has shape [5 200], want [5 256]",
			func(s map[string][]int) { s["visual.attnpool.positional_embedding"] = []int{5, 200} }, ""},
		{"heads do not divide", "256 channels cannot be split into heads of 48", func(map[string][]int) {}, `{"model_cfg":{"vision_cfg":{"head_width":48},"text_cfg":{}}}`},
		{"of another size", "it belongs to another model", func(map[string][]int) {}, `{"model_cfg":{"vision_cfg":{"image_size":224,"width":8},"text_cfg":{}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			shapes := resnetShapes([4]int{1, 2, 1, 1}, 8, 64, 16, 64)
			c.change(shapes)
			path := sparse(t, shapes)
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), "open_clip_config.json"), []byte(c.config),
					0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Open(path)
			if got := errorText(err); !strings.Contains(got, c.want) {
				t.Errorf("error %s\nwant %s", got, c.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}
