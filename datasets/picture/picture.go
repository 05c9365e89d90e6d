// Package picture answers: which pixels are in a picture file, as the published pipelines on Pillow see them? JPEG,
// PNG, TIFF and WebP are told apart by content, and what a picture may cost is checked before it is decoded.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"ovbench/datasets/files"
	"ovbench/datasets/jpeg"
)

// Orientation says what is done about the EXIF orientation of a JPEG.
type Orientation uint8

const (
	// AsStored ignores EXIF, as annotations and published pipelines on Pillow do.
	AsStored Orientation = iota
	// Upright turns and mirrors the picture as a viewer shows it.
	Upright
)

// Endings are those of the files that [Read] reads, in lower case.
var Endings = []string{".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}

// Read reads a picture as opaque 8-bit RGB of any source colour model, with bounds from 0,0.
//
// Pixels of PNG and TIFF are Pillow's Image.convert("RGB") exactly: alpha is dropped, 16-bit colours keep the high byte
// and 16-bit greys saturate at 255, gamma and ICC profiles are ignored. JPEG pixels are libjpeg-turbo's, see
// [jpeg.Decoder]. Those of lossy WebP are libwebp's with its triangle chroma filter.
func Read(path string, o Orientation) (*image.NRGBA, error) {
	data, err := files.Read(path, files.MaxBytes)
	if err != nil {
		return nil, err
	}
	img, err := Decode(data, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// Decode is Read of the bytes of a file.
func Decode(data []byte, o Orientation) (*image.NRGBA, error) {
	f, m, err := Raw(data)
	if err != nil {
		return nil, err
	}
	switch w := m.(type) {
	case *image.YCbCr:
		m = fromWebP(w)
	case *image.NYCbCrA:
		m = fromWebP(&w.YCbCr)
	}
	_, grey := m.(*image.Gray16)
	dst, err := opaque(m, grey || f == PNG && data[pngDepth] == 16 && data[pngColour] == pngGrey)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f, err)
	}
	if f == JPEG && o == Upright {
		dst = turn(dst, jpeg.Orientation(data))
	}
	return dst, nil
}

// Raw decodes a file to the numbers it stores, of a kind that its format and colour model choose.
func Raw(data []byte) (Format, image.Image, error) {
	f, err := Sniff(data)
	if err != nil {
		return 0, nil, err
	}
	if _, _, err := headerSize(bytes.NewReader(data), f, int64(len(data))); err != nil {
		return 0, nil, err
	}
	m, err := f.decode(data)
	return f, m, err
}

// Size reads width and height from the header of a picture, as [Read] gives them.
func Size(path string, o Orientation) (w, h int, err error) {
	f, length, err := files.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	w, h, err = size(f, length, o)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	return w, h, nil
}

func size(r io.ReadSeeker, length int64, o Orientation) (w, h int, err error) {
	head, err := headOf(r, sniffBytes)
	if err != nil {
		return 0, 0, err
	}
	f, err := Sniff(head)
	if err != nil {
		return 0, 0, err
	}
	w, h, err = headerSize(r, f, length)
	if err != nil || f != JPEG || o == AsStored {
		return w, h, err
	}
	if head, err = headOf(r, exifBytes); err == nil && jpeg.Orientation(head) >= 5 {
		w, h = h, w
	}
	return w, h, err
}

// exifBytes is how much of a file is searched for its EXIF segment, which stands near the beginning.
const exifBytes = 1 << 18

// EXIF is the orientation that a JPEG's EXIF asks a viewer for: 1 is upright, and what other files are.
func EXIF(path string) uint8 {
	f, _, err := files.Open(path)
	if err != nil {
		return 1
	}
	defer f.Close()
	head, err := headOf(f, exifBytes)
	if kind, sniffed := Sniff(head); err != nil || sniffed != nil || kind != JPEG {
		return 1
	}
	return jpeg.Orientation(head)
}

// headOf reads the first bytes of a file and goes back to its beginning.
func headOf(r io.ReadSeeker, limit int64) ([]byte, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	head, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		return nil, err
	}
	_, err = r.Seek(0, io.SeekStart)
	return head, err
}

// headerSize is the size that a header promises, refused if it is above the limits or more than a file of length bytes
// can hold.
func headerSize(r io.Reader, f Format, length int64) (w, h int, err error) {
	c, err := f.config(r)
	if err != nil {
		return 0, 0, files.Explain(err)
	}
	pixels := int64(c.Width) * int64(c.Height)
	switch {
	case c.Width <= 0 || c.Height <= 0:
		return 0, 0, fmt.Errorf("%s of %dx%d pixels", f, c.Width, c.Height)
	case pixels > files.MaxPixels:
		return 0, 0, fmt.Errorf("%s of %dx%d pixels, more than the limit of %d; cut it into tiles or reduce it", f,
			c.Width, c.Height, files.MaxPixels)
	case max(c.Width, c.Height) > files.MaxSide:
		return 0, 0, fmt.Errorf("%s of %dx%d pixels, more than the limit of %d a side; cut it into tiles", f, c.Width, c.Height,
			files.MaxSide)
	case pixels > length*f.pixelsPerByte():
		return 0, 0, fmt.Errorf("truncated: the header promises %dx%d pixels, which do not fit into %d bytes", c.Width,
			c.Height, length)
	}
	return c.Width, c.Height, nil
}

// Fields of a PNG's IHDR chunk, which always lies first.
const (
	pngDepth     = 24 // bytes: bits per sample, colour type
	pngColour    = 25
	pngGrey      = 0
	pngHeaderLen = 33
)

// GreyBits is the bits of a grey PNG's samples, and 8 or more for any other file.
func GreyBits(data []byte) int {
	if f, err := Sniff(data); err != nil || f != PNG || data[pngColour] != pngGrey {
		return 8
	}
	return int(data[pngDepth])
}

// config reads the header of a picture.
func (f Format) config(r io.Reader) (image.Config, error) {
	switch f {
	case JPEG:
		return stdjpeg.DecodeConfig(r)
	case TIFF:
		c, err := tiff.DecodeConfig(r)
		return c, explainTIFF(err)
	case WebP:
		return webp.DecodeConfig(r)
	}
	return png.DecodeConfig(r)
}

// decode decodes a picture whose header is right.
func (f Format) decode(data []byte) (m image.Image, err error) {
	switch f {
	case JPEG:
		return jpeg.Decode(data)
	case TIFF:
		m, err = decodeTIFF(data)
	case WebP:
		m, err = webp.Decode(bytes.NewReader(data))
	default:
		m, err = png.Decode(bytes.NewReader(data))
		if err != nil && !bytes.Contains(data, []byte("IEND")) { // an early end is worded in several ways
			err = files.ErrTruncated
		}
	}
	return m, files.Explain(err)
}

// A Format is one that this package reads.
type Format uint8

// The formats.
const (
	JPEG Format = iota + 1
	PNG
	TIFF
	WebP
)

func (f Format) String() string {
	return [...]string{"an unknown file", "a JPEG", "a PNG", "a TIFF", "a WebP"}[f]
}

// Lossy says that pixels are not what was saved.
func (f Format) Lossy() bool { return f == JPEG || f == WebP }

// pixelsPerByte is the most pixels that one byte of a complete file can stand for. JPEG: every 8x8 block of the first
// component takes a bit or more in some scan. PNG: deflate expands at most 1032 times, at 1 bit a pixel or more. The
// others can code whole rows in some bits.
func (f Format) pixelsPerByte() int64 {
	switch f {
	case JPEG:
		return 8 * 64
	case PNG:
		return 8 * 1032
	}
	return files.MaxPixels
}

const sniffBytes = 512

// foreign are the files most often found under a picture's name.
var foreign = []struct{ magic, name string }{
	{"GIF8", "a GIF; a dead link at Flickr answers with a small \"photo unavailable\" GIF"},
	{"<", "HTML or XML, not a picture; a download was answered by a web page"},
	{"version https://git-lfs", "a Git LFS pointer, not the picture; run git lfs pull"},
	{"BM", "a BMP"},
	{"%PDF", "a PDF"},
	{"PK\x03\x04", "a zip archive"},
	{"\x1f\x8b", "a gzip archive"},
}

// Foreign names the kind of a file that is no picture by its first bytes, "" if it is not known.
func Foreign(head []byte) string {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	for _, f := range foreign {
		if bytes.HasPrefix(text, []byte(f.magic)) {
			return f.name
		}
	}
	return ""
}

// Sniff tells the format by the first bytes of a file.
func Sniff(head []byte) (Format, error) {
	const ask = "; pictures must be JPEG, PNG, TIFF or WebP"
	brand := func(at int, text string) bool { return len(head) >= 12 && string(head[at:at+4]) == text }
	switch {
	case len(head) == 0:
		return 0, errors.New("the file has zero bytes; copy or download it again")
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return JPEG, nil
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		if len(head) < pngHeaderLen {
			return 0, files.ErrTruncated
		}
		return PNG, nil
	case bytes.HasPrefix(head, []byte("II*\x00")), bytes.HasPrefix(head, []byte("MM\x00*")):
		return TIFF, nil
	case brand(0, "RIFF") && brand(8, "WEBP"):
		return WebP, nil
	case brand(4, "ftyp"):
		return 0, errors.New("this is a HEIF or AVIF" + ask)
	}
	if name := Foreign(head); name != "" {
		return 0, errors.New("this is " + name + ask)
	}
	return 0, fmt.Errorf("none of JPEG, PNG, TIFF and WebP: the file begins with % x", head[:min(8, len(head))])
}
