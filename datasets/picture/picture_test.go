package picture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/datasets/files"
)

// readRGB reads a golden written by testdata/make.py.
func readRGB(t *testing.T, path string) *image.NRGBA {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	m, ok := img.(*image.RGBA)
	if !ok {
		t.Fatalf("%s is %T", path, img)
	}
	return &image.NRGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}
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

// Goldens: Pillow 13.0.0 with libjpeg-turbo 3.2.0, by testdata/make.py.
func TestReadAsPillow(t *testing.T) {
	files, err := filepath.Glob("testdata/pixels/*.rgb.png")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d goldens, %v", len(files), err)
	}
	for _, golden := range files {
		name := strings.TrimSuffix(golden, ".rgb.png")
		t.Run(filepath.Base(name), func(t *testing.T) {
			got, err := Read(name, AsStored)
			if err != nil {
				t.Fatal(err)
			}
			want := readRGB(t, golden)
			if got.Rect != want.Rect || len(got.Pix) != len(want.Pix) {
				t.Fatalf("%v, want %v", got.Rect, want.Rect)
			}
			w, h, err := Size(name, AsStored)
			if err != nil || w != want.Rect.Dx() || h != want.Rect.Dy() {
				t.Errorf("Size = %d, %d, %v, want %v", w, h, err, want.Rect)
			}
			largest, mean := difference(got, want)
			if largest > 0 || !got.Opaque() {
				t.Errorf("differs from Pillow by up to %d grey levels (mean %.3f)", largest, mean)
			}
		})
	}
}

// jpegWithEXIF is a stored 3x2 JPEG that carries an orientation.
func jpegWithEXIF(t *testing.T, m image.Image, orientation byte, bigEndian bool) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	exif := "Exif\x00\x00II*\x00\x08\x00\x00\x00\x02\x00" +
		"\x00\x01\x04\x00\x01\x00\x00\x00\x03\x00\x00\x00" + // width, to be passed over
		"\x12\x01\x03\x00\x01\x00\x00\x00" + string(orientation) + "\x00\x00\x00"
	if bigEndian {
		exif = "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) +
			"\x00\x00"
	}
	segment := append([]byte{0xff, 0xe1, 0, byte(len(exif) + 2)}, exif...)
	return append(append([]byte{0xff, 0xd8}, segment...), b.Bytes()[2:]...)
}

// The eight orientations of EXIF 2.3, as the letters of a stored 24x16 picture of six 8x8 blocks
//
//	a b c
//	d e f
//
// appear upright; checked against Pillow 13.0.0 ImageOps.exif_transpose.
func TestOrientation(t *testing.T) {
	upright := []string{1: "abc def", 2: "cba fed", 3: "fed cba", 4: "def abc", 5: "ad be cf", 6: "da eb fc",
		7: "fc eb da", 8: "cf be ad"}
	stored := image.NewGray(image.Rect(0, 0, 24, 16))
	for y := range 16 {
		for x := range 24 {
			stored.SetGray(x, y, color.Gray{uint8(40 * (x/8 + 3*(y/8)))})
		}
	}
	letters := func(m *image.NRGBA) string {
		var b strings.Builder
		for y := 4; y < m.Rect.Dy(); y += 8 {
			if y > 4 {
				b.WriteByte(' ')
			}
			for x := 4; x < m.Rect.Dx(); x += 8 {
				b.WriteByte('a' + (m.NRGBAAt(x, y).R+20)/40)
			}
		}
		return b.String()
	}
	for o := 1; o <= 8; o++ {
		for _, bigEndian := range []bool{false, true} {
			data := jpegWithEXIF(t, stored, byte(o), bigEndian)
			for orientation, want := range []string{AsStored: "abc def", Upright: upright[o]} {
				m, err := Decode(data, Orientation(orientation))
				if err != nil {
					t.Fatal(err)
				}
				if got := letters(m); got != want {
					t.Errorf("EXIF %d, option %d: %q, want %q", o, orientation, got, want)
				}
			}
		}
	}
	if m, err := Decode(jpegWithEXIF(t, stored, 9, false), Upright); err != nil || letters(m) != "abc def" {
		t.Errorf("orientation 9 should be ignored: %v", err)
	}
}

func TestReadErrors(t *testing.T) {
	jpg, err := os.ReadFile("testdata/pixels/420_37x29.jpg")
	if err != nil {
		t.Fatal(err)
	}
	pngData, err := os.ReadFile("testdata/pixels/rgb.png")
	if err != nil {
		t.Fatal(err)
	}
	patched := func(data []byte, at int, with ...byte) []byte {
		out := bytes.Clone(data)
		copy(out[at:], with)
		return out
	}
	ihdr := func(w, h uint32) []byte { // with a right checksum, so that only the size is wrong
		out := bytes.Clone(pngData)
		binary.BigEndian.PutUint32(out[16:], w)
		binary.BigEndian.PutUint32(out[20:], h)
		binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(out[12:29]))
		return out
	}
	sof := bytes.Index(jpg, []byte{0xff, 0xc0})
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "zero bytes"},
		{"gif", []byte("GIF89a......"), "a GIF"},
		{"html", []byte("\n <!DOCTYPE html><html>"), "HTML"},
		{"webp", []byte("RIFF....WEBPVP8 "), "truncated"},
		{"heif", []byte("\x00\x00\x00\x18ftypheic"), "HEIF"},
		{"lfs", []byte("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
		{"zip", []byte("PK\x03\x04....."), "zip archive"},
		{"noise", []byte{1, 2, 3}, "begins with 01 02 03"},
		{"half a jpeg", jpg[:len(jpg)/2], "truncated"},
		{"jpeg without end", jpg[:len(jpg)-2], "truncated"},
		{"jpeg header only", jpg[:200], "truncated"},
		{"half a png", pngData[:len(pngData)/2], "truncated"},
		{"png signature", pngData[:20], "truncated"},
		{"huge jpeg", patched(jpg, sof+5, 0xff, 0xff, 0xff, 0xff), "65535x65535 pixels, more than the limit of 67108864"},
		{"promising jpeg", patched(jpg, sof+5, 0x20, 0, 0x20, 0), "8192x8192 pixels, which do not fit into"},
		{"empty jpeg", patched(jpg, sof+5, 0, 0), "37x0 pixels"},
		{"huge png", ihdr(1<<20, 1<<20), "more than the limit of 67108864"},
		{"promising png", ihdr(1<<13, 1<<13), "do not fit into"},
		{"wide png", ihdr(1<<17, 1), "more than the limit of 65536 a side"},
		{"high png", ihdr(1, 1<<17), "more than the limit of 65536 a side"},
		{"tiff of floats", floatTIFF(), "sample format; save it as PNG"},
		{"12-bit jpeg", patched(jpg, sof+4, 12), "precision"},
		{"arithmetic jpeg", patched(jpg, sof+1, 0xc9), "unsupported"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.jpg")
			write(t, path, test.data)
			_, err := Read(path, AsStored)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), path+": ") {
				t.Errorf("got %v, want the path and %q", err, test.want)
			}
		})
	}
	if _, err := Read(t.TempDir(), AsStored); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	big := filepath.Join(t.TempDir(), "big.jpg")
	write(t, big, jpg)
	if err := os.Truncate(big, files.MaxBytes+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(big, AsStored); err == nil || !strings.Contains(err.Error(), "limit of 256 MiB") {
		t.Errorf("a sparse file above the limit: %v", err)
	}
}

// floatTIFF is a TIFF of one pixel in 32-bit floating point.
func floatTIFF() []byte {
	b := append([]byte("II*\x00"), 8, 0, 0, 0, 9, 0)
	for _, field := range [][2]uint16{{256, 1}, {257, 1}, {258, 32}, {259, 1}, {262, 1}, {273, 0}, {277, 1}, {279, 4}, {339, 3}} {
		b = binary.LittleEndian.AppendUint16(b, field[0])
		b = append(b, 3, 0, 1, 0, 0, 0) // a SHORT
		b = append(binary.LittleEndian.AppendUint16(b, field[1]), 0, 0)
	}
	return append(b, make([]byte, 8)...)
}

// FuzzRead: whatever the bytes, no panic, and a picture is as large as its header said.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/pixels/*3*")
	for _, name := range append(files, "testdata/pixels/420_progressive.jpg", "testdata/pixels/rgba16.png") {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if w, h, err := size(bytes.NewReader(data), int64(len(data)), AsStored); err != nil || w*h > 1<<20 {
			if err != nil {
				if _, err := Decode(data, AsStored); err == nil {
					t.Fatal("decoded a picture whose header is refused")
				}
			}
			return
		}
		w, h, _ := size(bytes.NewReader(data), int64(len(data)), AsStored)
		m, err := Decode(data, AsStored)
		if err == nil && (m.Rect != image.Rect(0, 0, w, h) || !m.Opaque()) {
			t.Fatalf("%v, header says %dx%d", m.Rect, w, h)
		}
		if up, upErr := Decode(data, Upright); (err == nil) != (upErr == nil) || err == nil && len(up.Pix) != len(m.Pix) {
			t.Fatalf("upright: %v, as stored: %v", upErr, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	m := image.NewNRGBA(image.Rect(0, 0, 500, 375))
	for i := range m.Pix {
		m.Pix[i] = uint8(7*(i%4+i%2000/32) + 13*(i/16000))
	}
	var data bytes.Buffer
	if err := jpeg.Encode(&data, m, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	b.Run("500x375", func(b *testing.B) {
		for b.Loop() {
			if _, err := Decode(data.Bytes(), AsStored); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("500x375/image-jpeg-only", func(b *testing.B) {
		for b.Loop() {
			if _, err := jpeg.Decode(bytes.NewReader(data.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
