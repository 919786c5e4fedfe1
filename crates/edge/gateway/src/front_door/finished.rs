//! Work that is finished once it has begun, whether or not anybody waits for it.
//!
//! It runs in the task of who waits. Only when that one goes away it gets a task of its own: a task for each request would
//! cost more than the signature's check.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The work panicked. Its message has been printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Work under way; none once it is done.
pub(crate) struct Finished<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
}

impl<T: Send + 'static> Finished<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Finished<T> {
        Finished {
            work: Some(Box::pin(work)),
        }
    }
}

impl<T: Send + 'static> Future for Finished<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.work else {
            return Poll::Pending;
        };
        // What panicked is dropped and never looked at again.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        let done = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(done)) => Ok(done),
            Err(_) => Err(Panicked),
        };
        self.work = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static> Drop for Finished<T> {
    fn drop(&mut self) {
        // Without a runtime the process is ending.
        if let Some(work) = self.work.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_finished() {
        let (go, going) = oneshot::channel();
        let (say, said) = oneshot::channel();
        let mut work = Finished::new(async move {
            let word: u32 = going.await.unwrap();
            say.send(word).unwrap();
        });
        let begun = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut work).poll(cx)));
        assert!(begun.await.is_pending());
        drop(work);
        go.send(7).unwrap();
        assert_eq!(said.await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_is_told_to_who_waits() {
        let broken = Finished::new(async {
            if true {
                panic!("as a broken service does");
            }
        });
        assert_eq!(broken.await, Err(Panicked));
        assert_eq!(Finished::new(async { 5 }).await, Ok(5));
    }
}
