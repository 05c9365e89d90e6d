// Package jpeg answers: which pixels are in a JPEG? Those of libjpeg-turbo with its accurate inverse DCT and triangle
// chroma filter, to the bit, which is Pillow's and OpenCV's setting, in Go. The tag turbojpeg builds libjpeg-turbo in
// instead.
//
// What is not in use (arithmetic codes, more than 8 bits) is left to image/jpeg, which decodes it or says why it does
// not.
package jpeg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"slices"

	"ovbench/datasets/files"
)

// Decode decodes a JPEG with the decoder that the package is built with, see [Decoder]. The picture is an opaque
// image.NRGBA, or an image.Gray or image.RGBA whose bytes stand for themselves; its bounds start at 0,0.
func Decode(data []byte) (image.Image, error) {
	head, err := parse(data)
	if err != nil {
		return nil, err
	}
	return pixels(data, head)
}

// Orientation is the EXIF orientation of a JPEG, 1 to 8; 1, which is upright, if it has none. The file may end early.
func Orientation(data []byte) uint8 {
	head, _ := parse(data)
	return head.orientation
}

// fromYCbCr converts three planes with any chroma subsampling.
func fromYCbCr(dst *image.NRGBA, m *image.YCbCr) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	sx, sy := subsampling(m.SubsampleRatio)
	cb := plane{m.Cb, m.CStride, (w + sx - 1) / sx, (h + sy - 1) / sy}
	cr := plane{m.Cr, m.CStride, cb.w, cb.h}
	rowB, rowR := make([]byte, cb.w*sx), make([]byte, cb.w*sx)
	sums := make([]int32, cb.w)
	for y := range h {
		cb.upsampleRow(rowB, sums, y, sx, sy)
		cr.upsampleRow(rowR, sums, y, sx, sy)
		yccRow(dst.Pix[y*dst.Stride:][:4*w], m.Y[y*m.YStride:], rowB, rowR)
	}
}

// subsampling is how many luma columns and rows share a chroma sample.
func subsampling(r image.YCbCrSubsampleRatio) (x, y int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// fromFour converts CMYK, or YCCK if the Adobe marker of head says so. m holds 255 - the stored
// samples, whatever they mean, with subsampled channels replicated.
//
// Stored values are taken as inverted, as Adobe writes them and Pillow reads them: 255 is no ink.
func fromFour(dst *image.NRGBA, m *image.CMYK, head header) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	sx, sy := head.chromaX, head.chromaY
	second, third := channel(m, 1, sx, sy), channel(m, 2, sx, sy)
	first, rows := make([]byte, w), [2][]byte{make([]byte, second.w*sx), make([]byte, second.w*sx)}
	sums := make([]int32, second.w)
	for y := range h {
		second.upsampleRow(rows[0], sums, y, sx, sy)
		third.upsampleRow(rows[1], sums, y, sx, sy)
		in, out := m.Pix[y*m.Stride:][:4*w], dst.Pix[y*dst.Stride:][:4*w]
		for x := range w {
			first[x] = 255 - in[4*x]
		}
		if head.ycck {
			yccRow(out, first, rows[0], rows[1]) // red, green, blue before black
			for i := range w {
				out[4*i], out[4*i+1], out[4*i+2] = 255-out[4*i], 255-out[4*i+1], 255-out[4*i+2]
			}
		} else {
			for i := range w {
				out[4*i], out[4*i+1], out[4*i+2] = first[i], rows[0][i], rows[1][i]
			}
		}
		inkRow(out, in)
	}
}

// inkRow turns the inverted inks in out, with black in the fourth channel of in, into colours
// by Pillow's rule: (255-K) - C*(255-K)/255, rounded, where C = 255 - the inverted ink.
func inkRow(out, in []byte) {
	for i := 0; i < len(out); i += 4 {
		light := 255 - int32(in[i+3])
		for c := range 3 {
			t := (255-int32(out[i+c]))*light + 128
			out[i+c] = clamp8(light - ((t>>8)+t)>>8)
		}
		out[i+3] = 255
	}
}

// channel picks one stored channel of m at every sx-th column and sy-th row.
func channel(m *image.CMYK, c, sx, sy int) plane {
	w, h := (m.Rect.Dx()+sx-1)/sx, (m.Rect.Dy()+sy-1)/sy
	p := plane{make([]byte, w*h), w, w, h}
	for y := range h {
		row := m.Pix[y*sy*m.Stride:]
		for x := range w {
			p.pix[y*w+x] = 255 - row[4*x*sx+c]
		}
	}
	return p
}

// A plane is one channel of w x h samples; rows lie stride bytes apart.
type plane struct {
	pix          []byte
	stride, w, h int
}

func (p plane) row(y int) []byte {
	return p.pix[max(0, min(y, p.h-1))*p.stride:][:p.w]
}

// upsampleRow writes row y of p enlarged sx by sy to out, which holds p.w*sx samples.
// sums is scratch for p.w numbers.
//
// The filters are those of libjpeg's jdsample.c: a triangle over the two nearest samples along
// each doubled axis, with alternating rounding; horizontally only if p is wider than two
// samples. Other ratios repeat the sample.
func (p plane) upsampleRow(out []byte, sums []int32, y, sx, sy int) {
	near := p.row(y / sy)
	far := p.row(y/sy - 1 + 2*(y%sy))
	wide := p.w > 2
	switch {
	case sx == 1 && sy == 1:
		copy(out, near)
	case sx == 1 && sy == 2:
		bias := int32(1 + y%2)
		for i, v := range near {
			out[i] = byte((3*int32(v) + int32(far[i]) + bias) >> 2)
		}
	case sx == 2 && sy == 1 && wide:
		for i, v := range near {
			sums[i] = int32(v)
		}
		doubleRow(out, sums, 1, 2, 2)
	case sx == 2 && sy == 2 && wide:
		for i, v := range near {
			sums[i] = 3*int32(v) + int32(far[i])
		}
		doubleRow(out, sums, 8, 7, 4)
	default:
		for i := range out {
			out[i] = near[i/sx]
		}
	}
}

// doubleRow doubles a row of sums, rounding left halves by left and right ones by right,
// and drops shift bits. The outer edges repeat the outer samples.
func doubleRow(out []byte, sums []int32, left, right int32, shift uint) {
	last := len(sums) - 1
	before := sums[0]
	for i, v := range sums {
		after := sums[min(i+1, last)]
		out[2*i] = byte((3*v + before + left) >> shift)
		out[2*i+1] = byte((3*v + after + right) >> shift)
		before = v
	}
}

// The colour tables of libjpeg's jdcolor.c, with 16 fractional bits: ITU-R BT.601, full range.
var crRed, crGreen, cbGreen, cbBlue = func() (r, g, b, u [256]int32) {
	const half = 1 << 15
	for i := range 256 {
		c := int32(i - 128)
		r[i] = (91881*c + half) >> 16  // 1.40200
		g[i] = -46802 * c              // 0.71414
		b[i] = -22554*c + half         // 0.34414
		u[i] = (116130*c + half) >> 16 // 1.77200
	}
	return
}()

// yccRow converts one row to opaque RGB.
func yccRow(out, y, cb, cr []byte) {
	n := len(out) / 4
	y, cb, cr = y[:n], cb[:n], cr[:n]
	for i := range n {
		l, b, r := int32(y[i]), cb[i], cr[i]
		px := out[4*i : 4*i+4 : 4*i+4]
		px[0] = clamp8(l + crRed[r])
		px[1] = clamp8(l + (cbGreen[b]+crGreen[r])>>16)
		px[2] = clamp8(l + cbBlue[b])
		px[3] = 255
	}
}

func clamp8(v int32) byte {
	return byte(max(0, min(v, 255)))
}

// header is what the segments before the first scan say beyond the size.
type header struct {
	components       int
	chromaX, chromaY int   // how many columns and rows of component 0 share a sample of component 1
	ycck             bool  // of four components
	orientation      uint8 // EXIF, 1..8; 1 if absent
	adobe            []int // offsets of the transform byte of Adobe segments
}

func parse(data []byte) (header, error) {
	h := header{chromaX: 1, chromaY: 1, orientation: 1}
	err := segments(data, func(marker byte, offset int, body []byte) {
		switch {
		case marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
			h.orientation = exifOrientation(body[6:])
		case marker == 0xee && len(body) >= 12 && string(body[:5]) == "Adobe":
			h.adobe = append(h.adobe, offset+11)
			h.ycck = body[11] != 0
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc && len(body) >= 6:
			h.components = int(body[5])
			if h.components == 4 && len(body) >= 6+3*4 {
				h.chromaX = max(1, int(body[7]>>4)/max(1, int(body[10]>>4)))
				h.chromaY = max(1, int(body[7]&15)/max(1, int(body[10]&15)))
			}
		}
	})
	return h, err
}

// segments calls visit for each marker segment before the first scan.
// body = data[offset:][:len(body)] lies behind the two length bytes.
func segments(data []byte, visit func(marker byte, offset int, body []byte)) error {
	for i := 2; ; {
		for i < len(data) && data[i] != 0xff { // garbage between segments, which decoders skip
			i++
		}
		for i < len(data) && data[i] == 0xff {
			i++
		}
		if i+3 > len(data) {
			return files.ErrTruncated
		}
		marker := data[i]
		if marker == 0xda || marker == 0xd9 { // start of scan, end of image
			return nil
		}
		if marker == 0 || marker == 1 || marker >= 0xd0 && marker <= 0xd8 { // stuffed byte, TEM, RSTn and SOI stand alone
			i++
			continue
		}
		n := int(binary.BigEndian.Uint16(data[i+1:]))
		if n < 2 {
			return fmt.Errorf("JPEG segment %#x of length %d", marker, n)
		}
		if i+1+n > len(data) {
			return files.ErrTruncated
		}
		visit(marker, i+3, data[i+3:i+1+n])
		i += 1 + n
	}
}

// withoutTransform is data with its Adobe segments saying "no colour transform", or with such a
// segment added: image/jpeg then hands out the four stored channels as they are.
func (h header) withoutTransform(data []byte) []byte {
	if len(h.adobe) == 0 {
		marker := []byte("\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00")
		return slices.Concat(data[:2], marker, data[2:])
	}
	data = slices.Clone(data)
	for _, at := range h.adobe {
		data[at] = 0
	}
	return data
}
