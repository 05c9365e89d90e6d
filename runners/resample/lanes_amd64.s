#include "textflag.h"

// Vectors of this file are cells: 16 float32, two registers of eight. Products and sums are rounded one by one, as the
// twins in lanes.go round them.

// TAP adds two neighbours, weighted: number i of the inner square to Y0 and Y1, number i+8, of the outer one, to Y2 and Y3.
#define TAP(i, near, nd, far, fd) \
	VBROADCASTSS (4*i)(BX), Y4 \
	VBROADCASTSS (4*i+32)(BX), Y5 \
	VMULPS       nd(near), Y4, Y6 \
	VMULPS       (nd+32)(near), Y4, Y7 \
	VMULPS       fd(far), Y5, Y8 \
	VMULPS       (fd+32)(far), Y5, Y9 \
	VADDPS       Y6, Y0, Y0 \
	VADDPS       Y7, Y1, Y1 \
	VADDPS       Y8, Y2, Y2 \
	VADDPS       Y9, Y3, Y3

// func mixAVX2(dst, r0, r1, r2, r3, r4, weights *float32, n int)
TEXT ·mixAVX2(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ r0+8(FP), R8
	MOVQ r1+16(FP), R9
	MOVQ r2+24(FP), R10
	MOVQ r3+32(FP), R11
	MOVQ r4+40(FP), R12
	MOVQ weights+48(FP), BX
	MOVQ n+56(FP), CX

mixLoop:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	TAP(0, R9, -512, R8, -1024)
	TAP(1, R9, 0, R8, 0)
	TAP(2, R9, 512, R8, 1024)
	TAP(3, R10, -512, R10, -1024)
	TAP(4, R10, 512, R10, 1024)
	TAP(5, R11, -512, R12, -1024)
	TAP(6, R11, 0, R12, 0)
	TAP(7, R11, 512, R12, 1024)
	VADDPS  Y2, Y0, Y0
	VADDPS  Y3, Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ    $64, DI
	ADDQ    $64, R8
	ADDQ    $64, R9
	ADDQ    $64, R10
	ADDQ    $64, R11
	ADDQ    $64, R12
	ADDQ    $64, BX
	DECQ    CX
	JNZ     mixLoop
	VZEROUPPER
	RET

// func lerpAVX2(dst, a, b *float32, w0, w1 float32, n int)
TEXT ·lerpAVX2(SB), NOSPLIT, $0-40
	MOVQ         dst+0(FP), DI
	MOVQ         a+8(FP), SI
	MOVQ         b+16(FP), DX
	VBROADCASTSS w0+24(FP), Y4
	VBROADCASTSS w1+28(FP), Y5
	MOVQ         n+32(FP), CX

lerpLoop:
	VMULPS  (SI), Y4, Y0
	VMULPS  32(SI), Y4, Y1
	VMULPS  (DX), Y5, Y2
	VMULPS  32(DX), Y5, Y3
	VADDPS  Y2, Y0, Y0
	VADDPS  Y3, Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ    $64, SI
	ADDQ    $64, DX
	ADDQ    $64, DI
	DECQ    CX
	JNZ     lerpLoop
	VZEROUPPER
	RET

// func lerpAddAVX2(dst, a, b *float32, w0, w1 float32, n int)
TEXT ·lerpAddAVX2(SB), NOSPLIT, $0-40
	MOVQ         dst+0(FP), DI
	MOVQ         a+8(FP), SI
	MOVQ         b+16(FP), DX
	VBROADCASTSS w0+24(FP), Y4
	VBROADCASTSS w1+28(FP), Y5
	MOVQ         n+32(FP), CX

lerpAddLoop:
	VMULPS  (SI), Y4, Y0
	VMULPS  32(SI), Y4, Y1
	VMULPS  (DX), Y5, Y2
	VMULPS  32(DX), Y5, Y3
	VADDPS  Y2, Y0, Y0
	VADDPS  Y3, Y1, Y1
	VADDPS  (DI), Y0, Y0
	VADDPS  32(DI), Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ    $64, SI
	ADDQ    $64, DX
	ADDQ    $64, DI
	DECQ    CX
	JNZ     lerpAddLoop
	VZEROUPPER
	RET

// func weighAddAVX2(dst, src, weights *float32, n int)
TEXT ·weighAddAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ weights+16(FP), DX
	MOVQ n+24(FP), CX

weighAddLoop:
	VBROADCASTSS (DX), Y2
	VMULPS       (SI), Y2, Y0
	VMULPS       32(SI), Y2, Y1
	VADDPS       (DI), Y0, Y0
	VADDPS       32(DI), Y1, Y1
	VMOVUPS      Y0, (DI)
	VMOVUPS      Y1, 32(DI)
	ADDQ         $4, DX
	ADDQ         $64, SI
	ADDQ         $64, DI
	DECQ         CX
	JNZ          weighAddLoop
	VZEROUPPER
	RET

// func stretchAVX2(dst, src *float32, taps *tap, n int)
TEXT ·stretchAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ taps+16(FP), BX
	MOVQ n+24(FP), CX

stretchLoop:
	MOVQ         (BX), R8 // i0
	MOVQ         8(BX), R9 // i1
	VBROADCASTSS 16(BX), Y4 // w0
	VBROADCASTSS 20(BX), Y5 // w1
	SHLQ         $6, R8
	SHLQ         $6, R9
	VMULPS       (SI)(R8*1), Y4, Y0
	VMULPS       32(SI)(R8*1), Y4, Y1
	VMULPS       (SI)(R9*1), Y5, Y2
	VMULPS       32(SI)(R9*1), Y5, Y3
	VADDPS       Y2, Y0, Y0
	VADDPS       Y3, Y1, Y1
	VMOVUPS      Y0, (DI)
	VMOVUPS      Y1, 32(DI)
	ADDQ         $64, DI
	ADDQ         $24, BX
	DECQ         CX
	JNZ          stretchLoop
	VZEROUPPER
	RET

// func divideAVX2(dst *float32, by *uint32, n int)
TEXT ·divideAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ by+8(FP), BX
	MOVQ n+16(FP), CX

divideLoop:
	CMPL         (BX), $1
	JLS          divideNext
	VPBROADCASTD (BX), Y4
	VCVTDQ2PS    Y4, Y4
	VMOVUPS      (DI), Y0
	VMOVUPS      32(DI), Y1
	VDIVPS       Y4, Y0, Y0
	VDIVPS       Y4, Y1, Y1
	VMOVUPS      Y0, (DI)
	VMOVUPS      Y1, 32(DI)

divideNext:
	ADDQ $64, DI
	ADDQ $4, BX
	DECQ CX
	JNZ  divideLoop
	VZEROUPPER
	RET

DATA minusInf<>+0(SB)/4, $0xff800000
GLOBL minusInf<>(SB), RODATA|NOPTR, $4

// func largestAVX2(top *float32, lane *int32, cells *float32, mask *uint32, n int)
TEXT ·largestAVX2(SB), NOSPLIT, $0-40
	MOVQ         top+0(FP), DI
	MOVQ         lane+8(FP), DX
	MOVQ         cells+16(FP), SI
	MOVQ         mask+24(FP), BX
	MOVQ         n+32(FP), CX
	VMOVUPS      (BX), Y8
	VMOVUPS      32(BX), Y9
	VBROADCASTSS minusInf<>(SB), Y7

largestLoop:
	VMOVUPS      (SI), Y0
	VMOVUPS      32(SI), Y1
	VCMPPS       $7, Y0, Y0, Y2 // not NaN
	VCMPPS       $7, Y1, Y1, Y3
	VANDPS       Y8, Y2, Y2
	VANDPS       Y9, Y3, Y3
	VBLENDVPS    Y2, Y0, Y7, Y0
	VBLENDVPS    Y3, Y1, Y7, Y1
	VMAXPS       Y1, Y0, Y2
	VPERM2F128   $1, Y2, Y2, Y3
	VMAXPS       Y3, Y2, Y2
	VPERMILPS    $0x4e, Y2, Y3
	VMAXPS       Y3, Y2, Y2
	VPERMILPS    $0xb1, Y2, Y3
	VMAXPS       Y3, Y2, Y2
	VMOVSS       X2, (DI)
	VCMPPS       $0, Y2, Y0, Y0
	VCMPPS       $0, Y2, Y1, Y1
	VMOVMSKPS    Y0, R8
	VMOVMSKPS    Y1, R9
	SHLL         $8, R9
	ORL          R9, R8
	BSFL         R8, R8 // never 0: something equals the largest
	MOVL         R8, (DX)
	ADDQ         $64, SI
	ADDQ         $4, DI
	ADDQ         $4, DX
	DECQ         CX
	JNZ          largestLoop
	VZEROUPPER
	RET

DATA expConst<>+0(SB)/4, $0x3fb8aa3b // log2(e)
DATA expConst<>+4(SB)/4, $0x4b400000 // 1.5 * 2^23
DATA expConst<>+8(SB)/4, $0x3f318000 // ln(2), leading bits
DATA expConst<>+12(SB)/4, $0xb95e8083 // ln(2) less these
DATA expConst<>+16(SB)/4, $0x3ab60b61 // 1/720
DATA expConst<>+20(SB)/4, $0x3c088889 // 1/120
DATA expConst<>+24(SB)/4, $0x3d2aaaab // 1/24
DATA expConst<>+28(SB)/4, $0x3e2aaaab // 1/6
DATA expConst<>+32(SB)/4, $0x3f000000 // 1/2
DATA expConst<>+36(SB)/4, $0x3f800000 // 1
DATA expConst<>+40(SB)/4, $0xc2ae0000 // -87
GLOBL expConst<>(SB), RODATA|NOPTR, $44

// EXP replaces x, at most 0, by exp(x), and by 0 below -87 and for NaN.
#define EXP(x, n, f, p, live) \
	VCMPPS       $0x1d, Y15, x, live \ // x >= -87
	VMULPS       Y12, x, n \
	VADDPS       Y13, n, n \
	VSUBPS       Y13, n, f \
	VMULPS       Y14, f, p \
	VSUBPS       p, x, x \
	VBROADCASTSS expConst<>+12(SB), p \
	VMULPS       p, f, p \
	VSUBPS       p, x, x \
	VBROADCASTSS expConst<>+16(SB), p \
	VMULPS       x, p, p \
	VBROADCASTSS expConst<>+20(SB), f \
	VADDPS       f, p, p \
	VMULPS       x, p, p \
	VBROADCASTSS expConst<>+24(SB), f \
	VADDPS       f, p, p \
	VMULPS       x, p, p \
	VBROADCASTSS expConst<>+28(SB), f \
	VADDPS       f, p, p \
	VMULPS       x, p, p \
	VBROADCASTSS expConst<>+32(SB), f \
	VADDPS       f, p, p \
	VMULPS       x, p, p \
	VBROADCASTSS expConst<>+36(SB), f \
	VADDPS       f, p, p \
	VMULPS       x, p, p \
	VADDPS       f, p, p \
	VPSLLD       $23, n, n \
	VPADDD       n, p, p \
	VANDPS       live, p, x

// func sumExpAVX2(sum, top, cells *float32, mask *uint32, scale float32, n int)
TEXT ·sumExpAVX2(SB), NOSPLIT, $0-48
	MOVQ         sum+0(FP), DI
	MOVQ         top+8(FP), DX
	MOVQ         cells+16(FP), SI
	MOVQ         mask+24(FP), BX
	VBROADCASTSS scale+32(FP), Y10
	MOVQ         n+40(FP), CX
	VMOVUPS      (BX), Y8
	VMOVUPS      32(BX), Y9
	VBROADCASTSS expConst<>+0(SB), Y12
	VBROADCASTSS expConst<>+4(SB), Y13
	VBROADCASTSS expConst<>+8(SB), Y14
	VBROADCASTSS expConst<>+40(SB), Y15

sumExpLoop:
	VBROADCASTSS (DX), Y11
	VMOVUPS      (SI), Y0
	VMOVUPS      32(SI), Y1
	VSUBPS       Y11, Y0, Y0
	VSUBPS       Y11, Y1, Y1
	VMULPS       Y10, Y0, Y0
	VMULPS       Y10, Y1, Y1
	EXP(Y0, Y2, Y3, Y4, Y5)
	EXP(Y1, Y2, Y3, Y4, Y6)
	VANDPS       Y8, Y0, Y0
	VANDPS       Y9, Y1, Y1
	VADDPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VADDPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VADDSS       X1, X0, X0
	VMOVSS       X0, (DI)
	ADDQ         $64, SI
	ADDQ         $4, DX
	ADDQ         $4, DI
	DECQ         CX
	JNZ          sumExpLoop
	VZEROUPPER
	RET
