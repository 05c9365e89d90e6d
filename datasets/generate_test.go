package datasets

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets/labelmap"
	"ovbench/datasets/picture"
)

var update = flag.Bool("update", false, "rewrite testdata/VOCdevkit")

// demoRoot holds eight drawn pictures in VOC's layout, for tests and for the demonstration.
const demoRoot = "testdata/VOCdevkit/VOC2012"

// A scene is one drawn picture. Later things hide earlier ones.
type scene struct {
	id     string
	w, h   int
	ground color.NRGBA
	things []thing
}

type thing struct {
	class  string
	colour color.NRGBA
	parts  []shape
}

type shape func(x, y int) bool

func box(x0, y0, x1, y1 int) shape {
	return func(x, y int) bool { return x0 <= x && x < x1 && y0 <= y && y < y1 }
}

func oval(cx, cy, rx, ry int) shape {
	return func(x, y int) bool {
		dx, dy := (x-cx)*ry, (y-cy)*rx
		return dx*dx+dy*dy <= rx*rx*ry*ry
	}
}

// triangle has its tip at tx,ty and a level base of 2*half pixels at row by.
func triangle(tx, ty, half, by int) shape {
	return func(x, y int) bool {
		dx := max(x-tx, tx-x)
		return ty <= y && y < by && dx*(by-ty) <= half*(y-ty)
	}
}

var (
	sky    = color.NRGBA{150, 190, 225, 255}
	meadow = color.NRGBA{110, 150, 80, 255}
	street = color.NRGBA{130, 130, 130, 255}
	room   = color.NRGBA{205, 190, 160, 255}
	water  = color.NRGBA{60, 110, 150, 255}
)

var scenes = []scene{
	{"demo_000001", 120, 90, room, []thing{
		{"diningtable", color.NRGBA{120, 75, 40, 255}, []shape{box(10, 58, 110, 68), box(18, 68, 24, 90),
			box(96, 68, 102, 90)}},
		{"bottle", color.NRGBA{30, 110, 60, 255}, []shape{box(50, 28, 66, 58), box(55, 12, 61, 28)}},
	}},
	{"demo_000002", 96, 128, sky, []thing{
		{"aeroplane", color.NRGBA{235, 235, 240, 255}, []shape{oval(48, 50, 38, 8), triangle(48, 20, 12, 50),
			triangle(18, 30, 8, 50)}},
	}},
	{"demo_000003", 128, 96, street, []thing{
		{"car", color.NRGBA{200, 30, 30, 255}, []shape{box(14, 48, 84, 72), box(28, 32, 70, 48), oval(30, 72, 9, 9),
			oval(68, 72, 9, 9)}},
		{"person", color.NRGBA{60, 60, 160, 255}, []shape{oval(106, 26, 8, 8), box(98, 34, 114, 84)}},
	}},
	{"demo_000004", 121, 91, meadow, []thing{
		{"sheep", color.NRGBA{240, 238, 225, 255}, []shape{oval(44, 50, 26, 17), box(28, 60, 33, 82), box(54, 60, 59, 82),
			oval(74, 40, 9, 8)}},
		{"dog", color.NRGBA{90, 55, 30, 255}, []shape{oval(96, 66, 17, 9), box(84, 70, 88, 86), box(105, 70, 109, 86),
			oval(112, 54, 7, 7)}},
	}},
	{"demo_000005", 90, 120, room, []thing{
		{"tvmonitor", color.NRGBA{25, 25, 30, 255}, []shape{box(16, 24, 76, 66), box(42, 66, 50, 76), box(30, 76, 62, 82)}},
		{"pottedplant", color.NRGBA{40, 140, 50, 255}, []shape{triangle(70, 62, 16, 96), box(62, 96, 78, 114)}},
	}},
	{"demo_000006", 128, 96, water, []thing{
		{"boat", color.NRGBA{160, 90, 50, 255}, []shape{box(20, 62, 108, 70), oval(64, 70, 40, 12), triangle(64, 10, 30, 58),
			box(63, 10, 66, 62)}},
		{"bird", color.NRGBA{250, 250, 250, 255}, []shape{oval(106, 22, 12, 5), triangle(104, 10, 6, 22)}},
	}},
	{"demo_000007", 96, 128, meadow, []thing{
		{"horse", color.NRGBA{130, 70, 30, 255}, []shape{oval(44, 74, 28, 15), box(22, 80, 28, 116), box(60, 80, 66, 116),
			box(62, 42, 72, 76), oval(76, 42, 13, 7)}},
		{"person", color.NRGBA{200, 160, 40, 255}, []shape{oval(44, 24, 8, 9), box(36, 33, 52, 64)}},
	}},
	{"demo_000008", 113, 87, room, []thing{
		{"sofa", color.NRGBA{150, 40, 70, 255}, []shape{box(10, 34, 102, 58), box(6, 46, 18, 78), box(94, 46, 106, 78),
			box(10, 58, 102, 74)}},
		{"cat", color.NRGBA{230, 140, 50, 255}, []shape{oval(58, 48, 16, 10), oval(76, 38, 8, 8), triangle(72, 24, 4, 36),
			triangle(80, 24, 4, 36)}},
	}},
}

// void is half the width of the border between things that belongs to neither.
const void = 1

// labels draws palette indices: 0 ground, the class of the last thing, 255 near its outline.
func (s scene) labels() []uint8 {
	solid := make([]uint8, s.w*s.h)
	for i := range solid {
		if t := s.thingAt(i%s.w, i/s.w); t >= 0 {
			solid[i] = classIndex(s.things[t].class)
		}
	}
	out := bytes.Clone(solid)
	for i, v := range solid {
		for y := max(0, i/s.w-void); y <= min(s.h-1, i/s.w+void); y++ {
			for x := max(0, i%s.w-void); x <= min(s.w-1, i%s.w+void); x++ {
				if solid[y*s.w+x] != v {
					out[i] = 255
				}
			}
		}
	}
	return out
}

func classIndex(name string) uint8 {
	for i, c := range vocClasses {
		if c == name {
			return uint8(i)
		}
	}
	panic(name)
}

func (s scene) thingAt(x, y int) int {
	for t := len(s.things) - 1; t >= 0; t-- {
		for _, in := range s.things[t].parts {
			if in(x, y) {
				return t
			}
		}
	}
	return -1
}

// picture draws flat colours under two octaves of texture and a vertical light.
func (s scene) picture() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, s.w, s.h))
	for y := range s.h {
		for x := range s.w {
			c := s.ground
			grain := 28
			if t := s.thingAt(x, y); t >= 0 {
				c, grain = s.things[t].colour, 12
			}
			shade := (hash(x/7, y/5)-128)*grain/128 + (hash(x, y)-128)*8/128 + 20 - 40*y/s.h
			img.SetNRGBA(x, y, color.NRGBA{lit(c.R, shade), lit(c.G, shade), lit(c.B, shade), 255})
		}
	}
	return img
}

func lit(v uint8, shade int) uint8 { return uint8(max(0, min(255, int(v)+shade))) }

// hash scatters coordinates over 0..255.
func hash(x, y int) int {
	h := uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca77
	h ^= h >> 15
	h *= 0x2c1b3c6d
	h ^= h >> 12
	return int(h >> 8 & 255)
}

// TestGenerate draws the demonstration pictures, or with -update writes them.
func TestGenerate(t *testing.T) {
	var ids []string
	for _, s := range scenes {
		ids = append(ids, s.id)
		imagePath := filepath.Join(demoRoot, "JPEGImages", s.id+".jpg")
		labelPath := filepath.Join(demoRoot, "SegmentationClass", s.id+".png")
		if *update {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, s.picture(), &jpeg.Options{Quality: 90}); err != nil {
				t.Fatal(err)
			}
			write(t, imagePath, b.Bytes())
			write(t, labelPath, encodePNG(t, &image.Paletted{Pix: s.labels(), Stride: s.w, Rect: image.Rect(0, 0, s.w, s.h),
				Palette: labelmap.Palette()}))
		}
		img, err := picture.Read(imagePath, picture.AsStored)
		if err != nil {
			t.Fatal(err)
		}
		if _, mean := difference(img, s.picture()); mean > 5 {
			t.Errorf("%s: stored and drawn picture differ by %.1f grey levels", s.id, mean)
		}
		labels, err := labelmap.Read(labelPath)
		if err != nil {
			t.Fatal(err)
		}
		want := labelmap.Map{W: s.w, H: s.h}
		for _, v := range s.labels() {
			want.Pix = append(want.Pix, uint16(v))
		}
		if diff := cmp.Diff(want, labels); diff != "" {
			t.Errorf("%s: labels differ from the drawing", s.id)
		}
	}
	list := filepath.Join(demoRoot, "ImageSets", "Segmentation", "val.txt")
	if *update {
		write(t, list, []byte(strings.Join(ids, "\n")+"\n"))
	}
	got, err := readIDs(list)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("val.txt (-want +got):\n%s", diff)
	}
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// write writes a file and the directories above it.
func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// difference is the largest and the mean absolute difference of two opaque pictures, in grey levels.
func difference(a, b *image.NRGBA) (largest int, mean float64) {
	sum := 0
	for i := range a.Pix {
		d := int(a.Pix[i]) - int(b.Pix[i])
		d = max(d, -d)
		sum += d
		largest = max(largest, d)
	}
	return largest, float64(sum) / float64(len(a.Pix)/4*3)
}
