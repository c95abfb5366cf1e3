// Sign-in form, shown only when nobody is signed in.

/** Resolves once a person is signed in; shows what went wrong until then. */
export function askToSignIn({ dialog, form, message, session, language }) {
  return new Promise((resolve) => {
    const submit = async (event) => {
      event.preventDefault();
      const fields = new FormData(form);
      form.classList.add("is-busy");
      message.textContent = "";
      try {
        await session.signIn(fields.get("username"), fields.get("password"));
        form.removeEventListener("submit", submit);
        form.reset();
        dialog.close();
        resolve();
      } catch (error) {
        message.textContent = language.t(error.status === 401 ? "login.wrong" : "login.failed");
        form.elements.password.select();
      } finally {
        form.classList.remove("is-busy");
      }
    };
    form.addEventListener("submit", submit);
    dialog.oncancel = (event) => event.preventDefault();
    if (!dialog.open) dialog.showModal();
    form.elements.username.focus();
  });
}
