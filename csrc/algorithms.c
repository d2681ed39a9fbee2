/* The table of algorithms: what the core knows of each beside its kernels, and which kernels it has. A new kernel is
 * its file and a word here; a new algorithm is its kernels' files and an entry here. */
#include "isa.h"
#include "scrypt.h"
#include "sha256.h"
#include "sha256d.h"

/* Kernels, fastest first by expectation, by the kind of CPU that each is compiled for. */
#define SHA256D_KERNELS(X86, ARM64, ANY)                                                                        \
    X86(sha256d, avx512_shani) X86(sha256d, avx512) X86(sha256d, shani) X86(sha256d, avx2) X86(sha256d, sse41) \
    ARM64(sha256d, armv8) ARM64(sha256d, neon) ANY(sha256d, portable)
#define SCRYPT_KERNELS(X86, ARM64, ANY)                                                                         \
    X86(scrypt, avx512) X86(scrypt, avx512vl) X86(scrypt, avx2) X86(scrypt, sse2) ARM64(scrypt, neon)           \
    ANY(scrypt, portable)

#define DECLARED(algorithm, kernel) extern const miner_kernel miner_##algorithm##_##kernel;
#define LISTED(algorithm, kernel) &miner_##algorithm##_##kernel,
#define NAMED(algorithm, kernel) #kernel " "
#define LEFT_OUT(algorithm, kernel)
#if defined(MINER_X86)
#define COMPILED(LIST, DO) LIST(DO, LEFT_OUT, DO)
#elif defined(MINER_ARM64)
#define COMPILED(LIST, DO) LIST(LEFT_OUT, DO, DO)
#else
#define COMPILED(LIST, DO) LIST(LEFT_OUT, LEFT_OUT, DO)
#endif
COMPILED(SHA256D_KERNELS, DECLARED)
COMPILED(SCRYPT_KERNELS, DECLARED)
static const miner_kernel *const sha256d_kernels[] = { COMPILED(SHA256D_KERNELS, LISTED) NULL };
static const miner_kernel *const scrypt_kernels[] = { COMPILED(SCRYPT_KERNELS, LISTED) NULL };

static int sha256d_valid(miner_parameters p)
{
    return !(p.value[0] | p.value[1] | p.value[2] | p.value[3]);
}

static int sha256d_hash(const uint8_t header[80], const miner_scratch *s, const miner_stop *stop, uint8_t out[32])
{
    (void)s;
    (void)stop;
    miner_sha256d(header, 80, out);
    return 1;
}

const miner_algorithm miner_sha256d_algorithm = {
    .name = "sha256d", .kernels = sha256d_kernels, .everywhere = SHA256D_KERNELS(NAMED, NAMED, NAMED),
    .hash = sha256d_hash,
    .valid = sha256d_valid, .takes = "no parameters",
    .known_header =     /* Bitcoin's genesis block */
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81"
        "bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
};

static int scrypt_valid(miner_parameters p)
{
    uint32_t n = SCRYPT_N(p);
    return n >= 2 && n <= 1u << 20 && (n & (n - 1)) == 0 && !(p.value[1] | p.value[2] | p.value[3]);
}

const miner_algorithm miner_scrypt_algorithm = {
    .name = "scrypt", .kernels = scrypt_kernels, .everywhere = SCRYPT_KERNELS(NAMED, NAMED, NAMED),
    .hash = miner_scrypt_portable_hash,
    .valid = scrypt_valid, .takes = "N, a power of two from 2 to 1048576",
    .usual = { { 1024 } }, .quick = { { 16 } },
    .known_header =     /* Litecoin's genesis block */
        "010000000000000000000000000000000000000000000000000000000000000000000000d9ced4ed1130f7b7faad9be25323ffafa332"
        "32a17c3edf6cfd97bee6bafbdd97b9aa8e4ef0ff0f1ecd513f7c",
};

#ifndef MINER_MORE_ALGORITHMS
#define MINER_MORE_ALGORITHMS   /* the addresses of others, each with a comma: tests/toy builds one in */
#endif
const miner_algorithm *const miner_algorithm_table[] = {
    &miner_sha256d_algorithm, &miner_scrypt_algorithm, MINER_MORE_ALGORITHMS NULL,
};
