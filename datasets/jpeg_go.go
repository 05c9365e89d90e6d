//go:build !turbojpeg

package datasets

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

// JPEGDecoder names what decodes JPEGs: the decoder of this package, whose pixels are libjpeg-turbo's, or with the build tag
// turbojpeg libjpeg-turbo itself.
const JPEGDecoder = "built-in"

// jpegPixels decodes and converts as libjpeg does: chroma goes through the triangle ("fancy") filter that image/jpeg lacks,
// colours through libjpeg's integer tables.
func jpegPixels(data []byte, head jpegHeader) (*image.NRGBA, error) {
	src := readJPEG(data)
	if src == nil {
		var err error
		if src, err = rareJPEG(data, head); err != nil {
			return nil, err
		}
	}
	dst := image.NewNRGBA(image.Rect(0, 0, src.Bounds().Dx(), src.Bounds().Dy()))
	switch m := src.(type) {
	case *image.Gray:
		for y := range dst.Rect.Dy() {
			greyRow(dst.Pix[y*dst.Stride:][:4*dst.Rect.Dx()], m.Pix[y*m.Stride:])
		}
	case *image.RGBA: // stored as RGB
		for y := range dst.Rect.Dy() {
			colourRow(dst.Pix[y*dst.Stride:][:4*dst.Rect.Dx()], m.Pix[y*m.Stride:])
		}
	case *image.YCbCr:
		fromYCbCr(dst, m)
	case *image.CMYK:
		fromFour(dst, m, head)
	default:
		return nil, fmt.Errorf("JPEG decoded to %T, which is not handled", src)
	}
	return dst, nil
}

// rareJPEG is image/jpeg's picture of a file that readJPEG does not know, or its reason why there is none.
func rareJPEG(data []byte, head jpegHeader) (image.Image, error) {
	if head.components == 4 {
		data = head.withoutTransform(data)
	}
	src, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil && !bytes.HasSuffix(data, []byte("\xff\xd9")) { // no end-of-image marker
		return nil, errTruncated
	}
	if err != nil {
		return nil, explain(err)
	}
	return src, nil
}
