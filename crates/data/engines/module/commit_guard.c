/*
 * Keeps a cancel from ending a commit's wait for the synchronous standby.
 *
 * A backend that is cancelled in SyncRepWaitForLSN() tells its client that the commit succeeded,
 * with a warning, although the standby may not have it. Every cancel is a SIGINT: a cancel packet,
 * plain or over TLS, pg_cancel_backend(), statement_timeout and lock_timeout (postinit.c). So SIGINT
 * is blocked from the moment just before a transaction commits until it has committed. What came
 * before ends the transaction with an error; what comes meanwhile is delivered afterwards, as if it
 * had come a moment too late, which clients must expect anyway.
 *
 * - Termination (SIGTERM) goes through as always: the server then acknowledges nothing.
 * - An error between the two events leads to XACT_EVENT_ABORT. A jump to the main loop restores the
 *   mask besides, since sigsetjmp() saved it there.
 * - Subtransactions never wait. Parallel workers commit nothing of their own. Autovacuum does not
 *   wait. A COMMIT in a procedure passes the same two events as any other.
 * - COMMIT PREPARED and ROLLBACK PREPARED wait within the statement, before their own transaction
 *   ends: see utility().
 * - This module must be the first that is preloaded: the callbacks of those loaded later run before
 *   it, so that what they do before a commit can still be cancelled.
 *
 * The server's headers are not needed: what is used of them is the same from 15 to 18 (xact.h,
 * utility.h, miscadmin.h), but for the magic block (fmgr.h). PG_MAJOR is the server's version, as in 15.
 */
#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* fmgr.h: a server refuses a module whose block differs from its own. */
typedef struct
{
	int len;
	int version;
	int func_max_args;
	int index_max_keys;
	int name_data_len;
	int float8_by_value;
	char abi_extra[32];
#if PG_MAJOR >= 18
	const char *name;
	const char *module_version;
#endif
} MagicBlock;

const MagicBlock *Pg_magic_func(void)
{
	static const MagicBlock block = {
		.len = sizeof(MagicBlock),
		.version = PG_MAJOR * 100,
		.func_max_args = 100,
		.index_max_keys = 32,
		.name_data_len = 64,
		.float8_by_value = sizeof(void *) >= 8,
		.abi_extra = "PostgreSQL",
	};
	return &block;
}

/* xact.h: in this order. */
typedef enum
{
	XACT_EVENT_COMMIT,
	XACT_EVENT_PARALLEL_COMMIT,
	XACT_EVENT_ABORT,
	XACT_EVENT_PARALLEL_ABORT,
	XACT_EVENT_PREPARE,
	XACT_EVENT_PRE_COMMIT,
	XACT_EVENT_PARALLEL_PRE_COMMIT,
	XACT_EVENT_PRE_PREPARE
} XactEvent;
extern void RegisterXactCallback(void (*callback)(XactEvent, void *), void *arg);

/* miscadmin.h: what CHECK_FOR_INTERRUPTS() is made of. */
extern volatile sig_atomic_t InterruptPending;
extern void ProcessInterrupts(void);

/* utility.h: everything but the text is only handed on. */
typedef void (*Utility)(void *statement, const char *text, bool read_only, int context,
						void *parameters, void *environment, void *receiver, void *completion);
extern Utility ProcessUtility_hook;
extern void standard_ProcessUtility(void *, const char *, bool, int, void *, void *, void *, void *);

void _PG_init(void);

static Utility next_utility;
/* Whether it is this module that blocked the signal. */
static bool holding;

static void hold(void)
{
	sigset_t cancels, before;

	sigemptyset(&cancels);
	sigaddset(&cancels, SIGINT);
	sigprocmask(SIG_BLOCK, &cancels, &before);
	if (!sigismember(&before, SIGINT))
		holding = true;
	/* From here on no cancel is noted. One noted before would end the wait: it becomes an error. */
	if (InterruptPending)
		ProcessInterrupts();
}

static void let_go(void)
{
	sigset_t cancels;

	if (!holding)
		return;
	holding = false;
	sigemptyset(&cancels);
	sigaddset(&cancels, SIGINT);
	sigprocmask(SIG_UNBLOCK, &cancels, NULL);
}

static void at_event(XactEvent event, void *arg)
{
	(void) arg;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			hold();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			let_go();
			break;
		default:
			break;
	}
}

/* The text after blanks, semicolons and comments. */
static const char *skip(const char *at)
{
	for (;;)
	{
		if (isspace((unsigned char) *at) || *at == ';')
			at++;
		else if (at[0] == '-' && at[1] == '-')
			at += strcspn(at, "\r\n");
		else if (at[0] == '/' && at[1] == '*')
		{
			int depth = 0;

			do
			{
				if (at[0] == '/' && at[1] == '*')
					depth++, at += 2;
				else if (at[0] == '*' && at[1] == '/')
					depth--, at += 2;
				else
					at++;
			} while (depth > 0 && *at);
		}
		else
			return at;
	}
}

/*
 * These statements stand alone in their text, since the server lets them into no transaction, be it
 * one implied by several statements. The signal stays blocked until the transaction around ends.
 */
static bool ends_prepared(const char *text)
{
	const char *verb = skip(text);
	size_t length = strncasecmp(verb, "commit", 6) == 0 ? 6 : 8;

	if (length == 8 && strncasecmp(verb, "rollback", 8) != 0)
		return false;
	return strncasecmp(skip(verb + length), "prepared", 8) == 0;
}

static void utility(void *statement, const char *text, bool read_only, int context, void *parameters,
					void *environment, void *receiver, void *completion)
{
	if (ends_prepared(text))
		hold();
	next_utility(statement, text, read_only, context, parameters, environment, receiver, completion);
}

void _PG_init(void)
{
	RegisterXactCallback(at_event, NULL);
	next_utility = ProcessUtility_hook ? ProcessUtility_hook : standard_ProcessUtility;
	ProcessUtility_hook = utility;
}
