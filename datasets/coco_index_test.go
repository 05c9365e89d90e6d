package datasets

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// splitmix is splitmix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
type splitmix uint64

func (s *splitmix) u(n int) int {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return int((z ^ z>>31) % uint64(n))
}

// FuzzCOCOFile opens any bytes as an annotation file and reads all that it finds.
func FuzzCOCOFile(f *testing.F) {
	for _, name := range []string{"instances", "stuff", "panoptic"} {
		data, err := os.ReadFile("testdata/coco/annotations/" + name + "_val2017.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"images":[{"id":1,"width":3,"height":2,"file_name":"a.jpg"}],"annotations":[
		{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,1],"segmentation":{"counts":"06","size":[2,3]}},
		{"id":2,"image_id":1,"category_id":1,"bbox":[0,0,1,1],"segmentation":{"counts":[0,6],"size":[2,3]}},
		{"id":3,"image_id":1,"category_id":1,"bbox":[0,0,1,1],"segmentation":[[0,0,2,0,2,2]]}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(dir, fmt.Sprint(os.Getpid(), ".json"))
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		things, err := openCOCOFile(name, cocoLabels(0, cocoThings), cocoThings)
		if err == nil {
			d := cocoAnnotated{things: things}
			for i := range things.images {
				img := &things.images[i]
				if img.w*img.h <= 1<<20 {
					d.objects(img)
					d.paint(img)
				}
			}
		}
		if panoptic, err := openCOCOFile(name, nil, cocoThings, cocoPanopticStuff); err == nil {
			d := cocoPanoptic{file: panoptic, categories: cocoLabels(0, cocoThings, cocoPanopticStuff)}
			for i := range panoptic.images {
				d.segments(&panoptic.images[i])
			}
		}
	})
}

// writeCOCO makes an annotation file of about size bytes in the manner of instances_train2017.json: seven objects a
// picture, most of them polygons of some 25 points. It returns how many objects there are.
func writeCOCO(w *bufio.Writer, size int) (annotations int) {
	r, written := splitmix(1), 0
	write := func(format string, args ...any) {
		n, _ := fmt.Fprintf(w, format, args...) // the error stays in w until it is flushed
		written += n
	}
	write(`{"info": {"year": 2017}, "licenses": [], "categories": [{"supercategory": "person", "id": 1, "name": "person"}], "annotations": [`)
	for ; written < size*15/16; annotations++ {
		if annotations > 0 {
			write(", ")
		}
		write(`{"segmentation": [[`)
		for i := range 6 + r.u(88) {
			if i > 0 {
				write(", ")
			}
			write("%d.%02d", r.u(640), r.u(100))
		}
		write(`]], "area": %d.%04d, "iscrowd": 0, "image_id": %d, "bbox": [%d.%02d, %d.%02d, %d.%02d, %d.%02d], "category_id": 1, "id": %d}`,
			r.u(99999), r.u(9999), annotations/7, r.u(640), r.u(100), r.u(480), r.u(100), r.u(300), r.u(100), r.u(300), r.u(100),
			annotations)
	}
	write(`], "images": [`)
	for i := range annotations/7 + 1 {
		if i > 0 {
			write(", ")
		}
		write(`{"license": 3, "file_name": "%012d.jpg", "coco_url": "http://images.cocodataset.org/train2017/%012d.jpg", "height": 480, "width": 640, `+
			`"date_captured": "2013-11-14 16:28:13", "flickr_url": "http://farm7.staticflickr.com/6116/6255196340_da26cf2c9e_z.jpg", "id": %d}`, i, i, i)
	}
	write("]}")
	return annotations
}

// BenchmarkOpenCOCOFile indexes a generated file of 512 MB (of 16 MB with -short). It reports the most memory the
// process ever held and, where python3 is found, how often the index is done in the time of Python's json.load.
func BenchmarkOpenCOCOFile(b *testing.B) {
	size := 512 << 20
	if testing.Short() {
		size = 16 << 20
	}
	name := filepath.Join(b.TempDir(), "instances.json")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	annotations := writeCOCO(w, size)
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		index, err := openCOCOFile(name, cocoLabels(0, cocoThings), cocoThings)
		if err != nil {
			b.Fatal(err)
		}
		if len(index.entries) != annotations {
			b.Fatalf("%d annotations, %d were written", len(index.entries), annotations)
		}
	}
	b.ReportMetric(peakMemory(b), "peak-MB")
	python, err := exec.LookPath("python3")
	if err != nil {
		return
	}
	start := time.Now()
	if out, err := exec.Command(python, "-c", "import json, sys; json.load(open(sys.argv[1]))",
		name).CombinedOutput(); err != nil {
		b.Logf("python3: %v: %s", err, out)
		return
	}
	b.ReportMetric(float64(time.Since(start))*float64(b.N)/float64(b.Elapsed()), "times-python")
}

// peakMemory is the high-water mark of the process in MB, 0 where the system does not tell.
func peakMemory(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0
	}
	kb, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}
