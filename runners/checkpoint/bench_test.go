package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkOpen opens files of the size and the number of tensors of a ViT-L/14: 590 tensors, 1.7 GB.
// The files are sparse: they take no room on disk, and cannot be read by accident without taking long.
func BenchmarkOpen(b *testing.B) {
	const tensors, length = 590, 1_710_000_000 / 590 / 64 * 64
	name := func(i int) string { return fmt.Sprintf("vision_model.encoder.layers.%d.self_attn.out_proj.weight", i) }
	var entries, pairs []string
	members := make([]member, 1, tensors+1)
	for i := range tensors {
		entries = append(entries, entry(name(i), "F32", fmt.Sprint(length/4), i*length, (i+1)*length))
		pairs = append(pairs, opText(name(i)), opTensor(fmt.Sprint(i), length/4, 0, []int{length / 4}, []int{1}))
		members = append(members, member{name: fmt.Sprintf("m/data/%d", i), data: zeros[:length]})
	}
	members[0] = member{name: "m/data.pkl", data: pickle(opSet(pairs...))}

	safetensors := filepath.Join(b.TempDir(), "model.safetensors")
	write(b, safetensors, []byte(safe("{"+strings.Join(entries, ",")+"}", 0)))
	info, err := os.Stat(safetensors)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.Truncate(safetensors, info.Size()+tensors*length); err != nil {
		b.Skipf("no sparse file: %v", err)
	}
	torch := filepath.Join(b.TempDir(), "model.pt")
	f, err := os.Create(torch)
	if err != nil {
		b.Fatal(err)
	}
	writeArchive(b, &sparse{f: f}, members...)
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{safetensors, torch} {
		b.Run(filepath.Ext(path)[1:], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c, err := Open(path); err != nil || len(c.Tensors) != tensors {
					b.Fatal(err)
				}
			}
		})
	}
}

var zeros = strings.Repeat("\x00", 1<<22)

// sparse is a file that steps over zeros instead of writing them. What follows them must be written last.
type sparse struct{ f *os.File }

func (s *sparse) Write(p []byte) (int, error) {
	if len(p) > 1<<12 && strings.Count(string(p), "\x00") == len(p) {
		_, err := s.f.Seek(int64(len(p)), 1)
		return len(p), err
	}
	return s.f.Write(p)
}
