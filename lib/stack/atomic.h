/* SPDX-License-Identifier: Apache-2.0 */
/* Words that two sides share.  The protocol is drawn in <linux/dmm_dev.h>. */
#ifndef DMM_STACK_ATOMIC_H
#define DMM_STACK_ATOMIC_H

#define load_relaxed(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_relaxed(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

/*
 * Between moving an index and looking at the other side's flag, and between
 * setting a flag and looking at the other side's index.
 */
static inline void full_barrier(void)
{
#if defined(__SANITIZE_THREAD__)
	/* This sanitizer knows no fences; the word orders as much. */
	static unsigned int word;

	__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* In a loop that waits for the other side. */
static inline void pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
